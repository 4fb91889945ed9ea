"""What the tests with a real browser share: the browser, its pages, and the server that they call."""
