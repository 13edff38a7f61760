"""Seeds, threads and types, fixed so that each run on one type of machine gives the same numbers."""

import keras


def fix(seed: int, threads: int) -> None:
    """Seed all random generators, and make operations add numbers in a fixed order with this number of threads.

    Results differ between 1 and 2 threads, and are identical to the bit for one number of threads. Call this before
    the first tensor is made.

    Raises:
        RuntimeError: Tensors were made before, with another number of threads.
    """
    set_conventions()
    keras.utils.clear_session()  # Saved files hold the numbers of layers, which go on from the models built before.
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # Keras has no function for these settings.

        threading = tf.config.threading
        if (threads, threads) != (
            threading.get_intra_op_parallelism_threads(),
            threading.get_inter_op_parallelism_threads(),
        ):
            threading.set_intra_op_parallelism_threads(threads)
            threading.set_inter_op_parallelism_threads(threads)
        tf.config.experimental.enable_op_determinism()


def current_threads() -> int:
    """Return the number of threads that `fix` has set; 0 without."""
    if keras.backend.backend() != "tensorflow":
        return 0
    import tensorflow as tf

    number: int = tf.config.threading.get_intra_op_parallelism_threads()
    return number


def set_conventions() -> None:
    """Set the types and the layout of tensors, which a person's `~/.keras/keras.json` may change."""
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
