"""What travels with mcviz: at the top of a checkout, and inside of the package where that was installed."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
FOLDER = PACKAGE if (PACKAGE / "cache").is_dir() else PACKAGE.parent
SHIPPED_RUN = FOLDER / "cache" / "mnist-cnn"  # the one to open first, and others beside it; read, and never written
STREAMLIT_OPTIONS = FOLDER / ".streamlit" / "config.toml"
