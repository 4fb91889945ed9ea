"""JAX with optax: reports as in flax's examples, through absl's logger and plain prints.

python made_by.py > log.txt 2>&1
"""

import jax
import jax.numpy as jnp
import optax
from absl import logging

logging.set_verbosity(logging.INFO)
logging.use_absl_handler()
x = jax.random.normal(jax.random.PRNGKey(0), (320, 8))
y = (x[:, 0] > 0).astype(jnp.float32)
params = {"w": jnp.zeros(8)}
optimizer = optax.adam(0.1)
state = optimizer.init(params)


def loss_of(params):
    return optax.sigmoid_binary_cross_entropy(x @ params["w"], y).mean()


for epoch in range(1, 4):
    loss, grads = jax.value_and_grad(loss_of)(params)
    updates, state = optimizer.update(grads, state)
    params = optax.apply_updates(params, updates)
    accuracy = ((x @ params["w"] > 0) == y).mean()
    logging.info("epoch:% 3d, train_loss: %.4f, train_accuracy: %.2f", epoch, loss, accuracy * 100)
    print(f"Loss at step {epoch}: {loss}")
    print({"epoch": epoch, "loss": loss})
    print("step:", epoch, "loss:", loss, "accuracy:", accuracy)
    print(f"Epoch {epoch} in 0.53 sec")
    print(f"Test set accuracy {accuracy}")
    print(f"[step {epoch}] loss={loss:.3g}")
