"""The files of reports: frozen snapshots, and the documents typeset from them."""
