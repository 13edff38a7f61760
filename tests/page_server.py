"""A page of the project served from this process, and what a browser shows of it."""

import logging
import re
import threading

from werkzeug.serving import make_server

# The page shows these problems itself: not an image (422), a refused decision (409), and a server that has ended, which
# has a name for each moment in which a connection can break.
BROKEN = "CONNECTION|EMPTY_RESPONSE|SOCKET|INCOMPLETE|CONTENT_LENGTH"
KNOWN = re.compile(f"Failed to load resource: .*(422|409|net::ERR_({BROKEN}))")


class PageServer:
    """An application on a port of this machine; stopped by `stop`."""

    def __init__(self, app, port=0):
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self.server = make_server("127.0.0.1", port, app, threaded=True)
        self.port = self.server.port
        self.url = f"http://127.0.0.1:{self.port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self):
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()


class Pages:
    """Pages in contexts of their own, with all that the browser asked for and complained about."""

    def __init__(self, browser):
        self.browser, self.contexts, self.complaints, self.asked = browser, [], [], []

    def open(self, url, **options):
        self.contexts.append(self.browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options}))
        page = self.contexts[-1].new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self.note)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("filechooser", lambda chooser: None)  # or the first one may come before Playwright takes them
        page.goto(url)
        return page

    def note(self, message):
        if message.type == "error" and not KNOWN.match(message.text):
            self.complaints.append(message.text)

    def close(self):
        for context in self.contexts:
            context.close()
        assert not self.complaints, self.complaints  # no rewritten assertion here: say what they are
