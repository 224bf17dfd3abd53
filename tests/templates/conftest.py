"""The toy task's model and scripts, made once."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from templates.renderer import Rendered, render_annotate
from tests.templates.toy import LABEL_MAP, save_model, train_toy_model, write_texts


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT that has learned the toy task."""
    folder = save_model(tmp_path_factory.mktemp("toy") / "model", "bert")
    train_toy_model(folder, steps=80)
    return folder


@pytest.fixture(scope="session")
def load_script(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Rendered], ModuleType]:
    """Import a rendered script as a module. What it sets in the environment does not outlast the session's use."""
    import huggingface_hub
    import transformers

    assert huggingface_hub
    assert transformers

    def load(rendered: Rendered) -> ModuleType:
        path = tmp_path_factory.mktemp("script") / "annotate.py"
        path.write_text(rendered.text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("rendered_annotate", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        with pytest.MonkeyPatch.context() as environment:
            for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "TRANSFORMERS_VERBOSITY", "OMP_WAIT_POLICY"):
                environment.setenv(name, "1")  # so that leaving the context restores what was
            spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def annotate(load_script: Callable[[Rendered], ModuleType]) -> ModuleType:
    """The default annotate script of the toy task."""
    return load_script(render_annotate(LABEL_MAP))


@pytest.fixture
def run_rows(tmp_path: Path) -> Callable[..., pa.Table]:
    """Annotate texts in this process and return the output table."""

    def run(
        annotator,
        texts: list[str | None],
        features: bool = False,
        pairs: list[str | None] | None = None,
        classes: bool = False,
    ) -> pa.Table:
        source, target = tmp_path / "rows.parquet", tmp_path / "answers.parquet"
        write_texts(source, texts, pairs)
        annotator.annotate(str(source), str(target), features, classes, lambda done, total: None)
        return pq.read_table(target)

    return run
