"""How STAR is put together and run: the embedded deployment, the command line, compose, and the demo country."""
