"""The command line of `./exitisp`: Invoke's tasks, with operands, checked values and help pages."""
