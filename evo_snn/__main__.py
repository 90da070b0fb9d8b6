"""`python -m evo_snn` is the command line `evo-snn`."""

from evo_snn.commands import main

if __name__ == "__main__":
    main()
