"use strict";

// What a page has heard, in order, and who waits for it to be enough. `also(one)` gets each before those do.
class Heard {
  constructor(also = () => {}) {
    this.all = [];
    this.waiting = new Set();
    this.also = also;
  }

  add(one) {
    this.all.push(one);
    this.also(one);
    for (const look of [...this.waiting]) look();
  }

  // A promise of all that was heard, once `enough(all)` says so.
  until(enough) {
    return new Promise((resolve) => {
      const look = () => {
        if (!enough(this.all)) return;
        this.waiting.delete(look);
        resolve(this.all);
      };
      this.waiting.add(look);
      look();
    });
  }

  // At least so many of this kind.
  count(kind, many) {
    return this.until((all) => all.filter((one) => one.kind === kind).length >= many);
  }

  // An event with this seq has come.
  reached(seq) {
    return this.until((all) => all.some((one) => one.kind === "message" && JSON.parse(one.data).seq === seq));
  }
}

function listen(url, also) {
  const heard = new Heard(also);
  const source = (heard.source = new EventSource(url));
  source.onopen = () => heard.add({ kind: "open" });
  source.onmessage = (e) => heard.add({ kind: "message", id: e.lastEventId, data: e.data });
  source.onerror = () => heard.add({ kind: source.readyState === EventSource.CLOSED ? "over" : "lost" });
  return heard;
}

function dial(url, protocols, also) {
  const heard = new Heard(also);
  const socket = (heard.socket = new WebSocket(url, protocols));
  socket.onopen = () => heard.add({ kind: "open", protocol: socket.protocol, extensions: socket.extensions });
  socket.onmessage = (e) => heard.add({ kind: "message", data: e.data });
  socket.onclose = (e) => heard.add({ kind: "close", code: e.code, clean: e.wasClean });
  return heard;
}

// As docs/security.md has it.
function withToken(token) {
  const coded = btoa(token).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  return ["v1.k12ai", `base64url.bearer.authorization.k12ai.${coded}`];
}

const CHANNEL = location.origin.replace(/^http/, "ws") + "/k12ai/ws";
