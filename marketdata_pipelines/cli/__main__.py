"""`python -m marketdata_pipelines.cli` is the console script `marketdata`."""

from marketdata_pipelines.cli.main import main

if __name__ == "__main__":
    main()
