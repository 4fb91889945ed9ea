"""What the channel's model test and its fuzz tests share: a real server, raw sockets, and what they judge by."""
