"""Keras 3.15 on JAX: fit with callbacks that talk, evaluate, and the history's own print; in a terminal.

KERAS_BACKEND=jax script -qec "python made_by.py" /dev/null > log.txt
"""

import keras
import numpy as np

keras.utils.set_random_seed(0)
x = np.random.randn(320, 8).astype("float32")
y = (x[:, 0] + x[:, 1] > 0).astype("int32")
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")])
model.summary()
history = model.fit(
    x,
    y,
    epochs=3,
    validation_split=0.2,
    verbose=2,
    callbacks=[
        keras.callbacks.ReduceLROnPlateau(verbose=1, patience=0),
        keras.callbacks.ModelCheckpoint("best.keras", verbose=1, save_best_only=True),
    ],
)
print(history.history)
model.evaluate(x, y)
