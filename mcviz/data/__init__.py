"""Images in: labelled image files, and inputs that no data set holds, such as noise."""

from mcviz.data.labelled import LabelledImages, as_model_input, read_mnist, read_test_images
from mcviz.data.noise import uniform_noise

__all__ = ["LabelledImages", "as_model_input", "read_mnist", "read_test_images", "uniform_noise"]
