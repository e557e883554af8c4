"""The one way in which adapters say that their server is away, so that nobody above knows a driver's exceptions."""


class StoreUnavailable(Exception):
    """The store of documents or files does not answer just now; whether a write happened is unknown.

    It is nobody's fault who asked: HTTP answers 503 and when to come back, and a listener's message waits for the
    store however long it takes, without using up its attempts.
    """
