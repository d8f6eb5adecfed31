"""Preprocessing by the names under which people know it."""

from mcviz.manifest import Preprocessing

PRESETS = {  # as keras.applications and torchvision document them
    "imagenet": Preprocessing(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), crop=True),
    "caffe": Preprocessing(1.0, (103.939, 116.779, 123.68), channel_order="bgr"),
    "tf": Preprocessing(127.5, (1.0,)),
}
