"""Why a prediction is as it is: the examples that the model sees as alike, and the parts of the input it rests on."""
