"""The options of `mcviz sample`, `check` and `import`, in shared groups.

A field holds name, type, `Option` and default. The command line, job arguments and the form on Runs derive from it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

from mcviz.choices import DEFAULT_PASSES, MASKS, PREDICTS, Ignore, Masks, Predicts
from mcviz.devices import AUTO, DEVICE_VARIABLE, parse_device
from mcviz.extras import IMPORT_VARIABLE
from mcviz.regular import path_exists

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NO_CLASS = "none"  # where there is no background, or nothing is ignored

Group = TypeVar("Group", bound="DataclassInstance")


@dataclass(frozen=True)
class Option:
    """The help and form of an option, and who may set it.

    Attributes:
        help: of the command line.
        metavar: what stands for its value in the help.
        name: without dashes, where it is not that of the field.
        choices: the values that it can have.
        at_least: the lowest whole number.
        between: the bounds of a number, both exclusive.
        several: whether it may be given again.
        parse: makes the value of the typed text, of `several` of a tuple of all texts; or raises ValueError.
        variable: of the environment, which gives it as well.
        job: whether a job may set it.
        label: of its field on the page Runs; without one, there is no field.
        placeholder: in that field.
    """

    help: str
    metavar: str | None = None
    name: str = ""
    choices: tuple[str, ...] = ()
    at_least: int | None = None
    between: tuple[float, float] | None = None
    several: bool = False
    parse: Callable[[Any], Any] | None = None
    variable: str | None = None
    job: bool = False
    label: str = ""
    placeholder: str = ""


@dataclass(frozen=True)
class OptionField:
    """An option and its field.

    Attributes:
        field: the name of the field.
        type: of its value.
        default: its value where it is not given.
        option: the rest.
    """

    field: str
    type: Any
    default: Any
    option: Option

    @property
    def name(self) -> str:
        """Its name, without dashes."""
        return self.option.name or self.field.replace("_", "-")

    @property
    def is_flag(self) -> bool:
        """Whether it is given without a value."""
        return self.type in (bool, bool | None)

    @property
    def argument(self) -> str:
        """The text before a value, `--passes=`, or of a flag, `--crop`, `--no-resume`."""
        if self.is_flag:
            return f"--no-{self.name}" if self.default is True else f"--{self.name}"
        return f"--{self.name}="


def option_fields(group: "type[DataclassInstance]") -> list[OptionField]:
    """Return the options of a group without inner groups."""
    return [_option_field(field) for field in fields(group) if not is_dataclass(field.type)]


def all_option_fields(group: "type[DataclassInstance]") -> Iterator[OptionField]:
    """Return the options of a group and of inner groups."""
    for field in fields(group):
        if isinstance(field.type, type) and is_dataclass(field.type):
            yield from all_option_fields(field.type)
        else:
            yield _option_field(field)


def read_group(group: type[Group], values: Mapping[str, Any]) -> Group:
    """Make a group, with the groups in it.

    Args:
        group: its class.
        values: of all its options, by the names of their fields.
    """
    options = {}
    for field in fields(group):
        if isinstance(field.type, type) and is_dataclass(field.type):
            options[field.name] = read_group(field.type, values)
        else:
            options[field.name] = values[field.name]
    return group(**options)


def format_arguments(*groups: "DataclassInstance") -> tuple[str, ...]:
    """Format groups as arguments, `--option=value` or `--flag`.

    Default values are written, so that arguments keep their meaning; default flags are not. A vocabulary cannot be
    written.
    """
    arguments: list[str] = []
    for group in groups:
        for field in fields(group):
            value = getattr(group, field.name)
            if is_dataclass(value) and not isinstance(value, type):
                arguments += format_arguments(value)
            elif isinstance(value, bool):
                arguments += [] if value == field.default else [_option_field(field).argument]
            elif value not in (None, "", ()):
                arguments += _format_value(_option_field(field), value)
    return tuple(arguments)


def _format_value(field: OptionField, value: Any) -> list[str]:
    if field.option.several:
        return [f"{field.argument}{'='.join(one) if isinstance(one, tuple) else one}" for one in value]
    return [f"{field.argument}{','.join(map(str, value)) if isinstance(value, tuple) else value}"]


def _option_field(declared: Field[Any]) -> OptionField:
    kind, option = get_args(declared.type)
    return OptionField(declared.name, kind, declared.default, option)


def _parse_task(text: str) -> str:
    from mcviz.tasks import TASKS  # which needs numpy, for which `mcviz --help` does not wait

    if text not in TASKS:
        raise ValueError(f"{text!r} is not one of {', '.join(map(repr, TASKS))}.")
    return text


def _parse_number(text: str) -> str:
    if text != NO_CLASS and not (text.isdecimal() and int(text) <= 255):
        raise ValueError(f"expected a number from 0 to 255, or {NO_CLASS}, received {text!r}.")
    return text


def _class_number(text: str) -> int | None:
    return None if text == NO_CLASS else int(text)


def _parse_names(texts: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.strip() for text in texts for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(f"expected names such as A,B, each once, received {texts}.")
    return names


def parse_places(text: str) -> tuple[int, ...]:
    """Parse numbers of examples in order."""
    try:
        typed = text.replace(",", " ").split()
        texts = typed if "".join(typed).isdecimal() else Path(text).read_text(encoding="utf-8-sig").split()
        places = tuple(int(text) for text in texts)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"expected numbers such as 3,1,4, or a file with one a line, received {text!r:.60} ({error})."
        ) from error
    if not places or min(places) < 0 or len(set(places)) < len(places):
        raise ValueError("expected at least one number, each once and from 0 upwards.")
    return places


def _parse_class_names(text: str) -> tuple[str, ...]:
    if path_exists(text):
        return _read_lines(text, str.strip)
    if "," not in text and Path(text).suffix:
        raise ValueError(f"there is no file {text}.")
    return tuple(name.strip() for name in text.split(","))


def _read_lines(path: str, trimmed: Callable[[str], str] = str) -> tuple[str, ...]:
    try:
        return tuple(trimmed(Path(path).read_text(encoding="utf-8-sig")).splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as UTF-8 text ({error}).") from error


def _parse_numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(",")) if text else ()
    except ValueError as error:
        raise ValueError(f"expected numbers such as 0.5 or 0.5,0.4,0.3, received {text!r}.") from error


def _parse_pairs(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not key or not separator:
            raise ValueError(f"expected KEY=VALUE, received {text!r}.")
        pairs[key] = value
    return tuple(pairs.items())


def _parse_renamed(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs: list[str] = []
    for text in texts:
        parts = text.split(",")
        pairs += parts if all("=" in part for part in parts) else [text]  # a name may have a comma in it
    return tuple((old.strip(), new.strip()) for old, new in _parse_pairs(tuple(pairs)))


# What is said of an option stands on few lines.
# fmt: off
@dataclass(frozen=True)
class TaskOptions:
    """The task, and the meaning of outputs."""

    task: Annotated[str, Option(
        "What is predicted: classification, regression, multilabel: several labels an example, or segmentation: a "
        "class for each pixel.",
        "TASK", parse=_parse_task, job=True, label="What it predicts",
    )] = "classification"
    predicts: Annotated[Predicts, Option(
        "What the columns of a regression are: a value for each target, and then a spread for each.",
        choices=PREDICTS, job=True, label="Its outputs are",
    )] = "mean"


@dataclass(frozen=True)
class ModelOptions:
    """The model, and how it is prepared."""

    model: Annotated[str, Option(
        "A Keras model with dropout; a function package.module:function, which is imported and called to build a "
        "PyTorch module; or a run, for its own.",
        "MODEL", job=True,
    )] = ""
    weights: Annotated[str | None, Option(
        "Of PyTorch: .safetensors, or a state_dict in a .pt or .pth; as the function builds it without them.", "FILE",
    )] = None
    transform: Annotated[str | None, Option(
        "Of PyTorch: package.module:function, which is imported and makes the module's input of an example.",
        "FUNCTION",
    )] = None
    vocabulary: Annotated[tuple[str, ...] | None, Option(
        "Of a model that takes word indices: a file with one word a line, in their order.",
        "FILE", parse=_read_lines, job=True,
    )] = None
    device: Annotated[str, Option(
        "Where it computes: cpu, cuda, cuda:N or mps. auto is the device of the run that is there, or of the module, "
        "else CUDA where there is one, else the processor.",
        "DEVICE", parse=parse_device, variable=DEVICE_VARIABLE, job=True,
    )] = AUTO
    output: Annotated[str | None, Option(
        "Which output to sample, for a model with several.",
        "NAME", job=True, label="Output, of a model with several",
    )] = None
    rate: Annotated[float | None, Option(
        "All dropout at this rate in the passes, in place of the rates that the model was trained with.",
        "RATE", between=(0, 1),
    )] = None
    from_logits: Annotated[bool | None, Option("The output is logits, where that cannot be seen.", job=True)] = None
    trust_model: Annotated[bool, Option("Let the model's file run code; also for HDF5 and Lambda layers.")] = False
    modules: Annotated[tuple[str, ...], Option(
        "Import a module that registers your own layers, or that a run's PyTorch model may be built by.",
        "MODULE", name="import", several=True, variable=IMPORT_VARIABLE,
    )] = ()


@dataclass(frozen=True)
class ColumnOptions:
    """The columns of labels, ids and inputs in a table."""

    label_column: Annotated[tuple[str, ...], Option(
        "Of a table: class number or name; of a regression its target, or several: A,B,…; of several labels an example "
        "their lists, such as cat;dog, or a column of 0 and 1 for each class.",
        "NAME", several=True, parse=_parse_names, job=True,
        label="Labels", placeholder="of a regression of several targets: A,B",
    )] = ()
    id_column: Annotated[str | None, Option("Of a table: what names an example.", "NAME", job=True, label="Ids")] = None
    picture_column: Annotated[str | None, Option(
        "Of a table: path, from its folder on.",
        "NAME", job=True, label="Pictures", placeholder="paths, from the table's folder on",
    )] = None
    text_column: Annotated[str | None, Option("Of a table: text.", "NAME", job=True, label="Texts")] = None
    feature_columns: Annotated[tuple[str, ...], Option(
        "Of a table: numbers, in the model's order; all numeric ones without it.",
        "A,B,…", several=True, parse=_parse_names, job=True, label="Numbers", placeholder="in the model's order: A,B,C",
    )] = ()


@dataclass(frozen=True)
class DataOptions:
    """The examples, and how they are read."""

    data: Annotated[str, Option(
        "A folder of pictures or texts, or of one folder a class; a table of paths, texts or numbers; .npz, .npy, "
        "IDX; a Hugging Face data set; or a run, for its examples.",
        "PATH", job=True,
    )] = ""
    split: Annotated[str | None, Option(
        "Of a Hugging Face data set that has several; test, validation or train without it.", "NAME", job=True,
    )] = None
    labels: Annotated[str | None, Option(
        "In place of the data's own: a table with labels, by ids where it has some, also of some examples; or an .npy.",
        "FILE",
    )] = None
    class_names: Annotated[tuple[str, ...] | None, Option(
        "In the order of the model's outputs, labels following by name; or a file with one name a line.",
        "A,B,…|FILE", parse=_parse_class_names, job=True,
    )] = None
    rename_class: Annotated[tuple[tuple[str, str], ...], Option(
        "A new name for a class that the data, or the passes, name otherwise.",
        "OLD=NEW", several=True, parse=_parse_renamed, job=True,
        label="New names of classes", placeholder="airplane=Airplane, bird=Bird",
    )] = ()
    names_in_order: Annotated[bool, Option(
        "--class-names are new names, in the order of those that the data have.", job=True,
    )] = False
    unit: Annotated[str, Option(
        "Of the targets of a regression, such as mg/dl.",
        "TEXT", job=True, label="Unit of what a regression predicts", placeholder="mg/dl",
    )] = ""
    skip_broken: Annotated[bool, Option("Leave out pictures and texts that cannot be read.", job=True)] = False
    first: Annotated[int | None, Option("Take only the first N examples.", "N", at_least=1, job=True)] = None
    only: Annotated[tuple[int, ...], Option(
        "Take only the examples of these numbers, counted from 0; or of a file with one number a line.",
        "A,B,…|FILE", parse=parse_places, job=True,
    )] = ()
    columns: ColumnOptions = ColumnOptions()
    scaler: Annotated[str | None, Option("Of rows: mean and std a column, in a .csv or .npz.", "FILE", job=True)] = None
    target_scaler: Annotated[str | None, Option(
        "Of a regression whose targets were scaled in training: mean and std a target, as --scaler.", "FILE", job=True,
    )] = None


@dataclass(frozen=True)
class PreprocessingOptions:
    """How a model takes examples."""

    preprocess: Annotated[str | None, Option(
        "By name: torchvision's and Keras's for ImageNet.",
        choices=("imagenet", "caffe", "tf"), job=True,
    )] = None
    scale: Annotated[float | None, Option(
        "What the model takes images divided by: 255, 127.5, 1.",
        "N", job=True,
    )] = None
    mean: Annotated[tuple[float, ...], Option(
        "Subtracted after --scale, as is --std.",
        "A,B,C", parse=_parse_numbers, job=True,
    )] = ()
    std: Annotated[tuple[float, ...], Option(
        "Divides after --mean; one, or one a channel.",
        "A,B,C", parse=_parse_numbers, job=True,
    )] = ()
    channel_order: Annotated[str | None, Option(
        "In which the model takes colours.",
        choices=("rgb", "bgr"), job=True,
    )] = None
    crop: Annotated[bool, Option(
        "Crop pictures to the model's proportions instead of stretching them.",
        job=True,
    )] = False
    preprocessed: Annotated[bool, Option(
        "The images are already preprocessed that way; to show them, it is undone.",
        job=True,
    )] = False


@dataclass(frozen=True)
class RunOptions:
    """The run to make, and its content."""

    out: Annotated[str, Option("The run's folder or fsspec address.", "RUN")] = ""
    about: Annotated[tuple[tuple[str, str], ...], Option(
        "What the run should say of its data, such as source=… and licence=…; may be given again.",
        "KEY=VALUE", several=True, parse=_parse_pairs,
    )] = ()
    resume: Annotated[bool, Option("Resume a run that was stopped.")] = True
    keep_images: Annotated[bool, Option("Keep the images in the run.", job=True)] = True


@dataclass(frozen=True)
class MaskOptions:
    """The meaning of numbers in masks."""

    background: Annotated[str | None, Option(
        "Of a segmentation, the class that Dice leaves out, or none; 0 without it.",
        "NUMBER", parse=_parse_number, job=True,
    )] = None
    ignore: Annotated[str | None, Option(
        "What stands in masks for a pixel that counts nowhere, or none; 255 without it, unless masks of two classes "
        "hold only 0 and another number.",
        "NUMBER", parse=_parse_number, job=True,
    )] = None

    @property
    def background_number(self) -> int | None:
        """The class that Dice leaves out, or None."""
        return _class_number(self.background or "0")

    @property
    def ignore_number(self) -> Ignore:
        """Return the ignored mask value, None for none, "auto" by default."""
        return "auto" if self.ignore is None else _class_number(self.ignore)


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """The options of `mcviz check`."""

    passes: Annotated[int, Option("How many, T.", at_least=1, job=True, label="Passes")] = DEFAULT_PASSES
    masks: Annotated[Masks, Option(
        "One draw of masks for all examples of a pass, or one for each example.",
        choices=MASKS, job=True, label="Dropout masks",
    )] = "per_pass"
    model: ModelOptions
    task: TaskOptions
    data: DataOptions
    preprocessing: PreprocessingOptions
    masks_mean: MaskOptions = MaskOptions()


@dataclass(frozen=True)
class OverviewOptions:
    """Work on a run once it is finished."""

    noise: Annotated[bool, Option(
        "Then also predict noise and compute how many passes are enough, for Overview.", job=True,
    )] = False


@dataclass(frozen=True, kw_only=True)
class SampleOptions(CheckOptions):
    """The options of `mcviz sample`: those of a check and more."""

    seed: Annotated[int, Option("Of the masks.", at_least=0, job=True, label="Seed")] = 0
    run: RunOptions
    overview: OverviewOptions = OverviewOptions()
    keep_model: Annotated[bool, Option("Keep the model in the run.", job=True)] = True
    scheduler: Annotated[str | None, Option(
        "Sample on the workers of a Dask cluster, by the address of its scheduler; local:N starts N processes here.",
        "ADDRESS",
    )] = None


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """The options of `mcviz import`."""

    data: DataOptions
    task: TaskOptions
    axes: Annotated[str | None, Option("The order of the axes, such as example,pass,class.", "A,B,C")] = None
    from_logits: Annotated[bool, Option("They are logits, not probabilities.")] = False
    deterministic: Annotated[str | None, Option("An .npy of the model's predictions with dropout off.", "FILE")] = None
    mean_probs: Annotated[str | None, Option(
        "An .npy of the mean over the passes of their probabilities, beside label maps of a segmentation.", "FILE",
    )] = None
    features: Annotated[str | None, Option(
        "An .npy of feature vectors (embeddings), one an example, for similar examples and the map.",
        "FILE",
    )] = None
    preprocessing: PreprocessingOptions
    source: Annotated[str | None, Option("What made the passes, in words.", "TEXT")] = None
    masks_mean: MaskOptions = MaskOptions()
    run: RunOptions
# fmt: on


# A job is a file, and files are copied: it may ask for nothing that runs code, and write nowhere but beside itself.
JOB_ARGUMENTS = frozenset(field.argument for field in all_option_fields(SampleOptions) if field.option.job)
