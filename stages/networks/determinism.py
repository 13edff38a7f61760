"""The same numbers in every run on one type of machine."""

import keras


def fix(seed: int, threads: int) -> None:
    """Everything that draws is seeded, and operations add up in one order with so many threads.

    Results differ between 1 and 2 threads, and are bit-identical at a fixed count. To be called before the first
    tensor is made.

    Raises:
        RuntimeError: tensors were made already, with another number of threads.
    """
    keras.utils.clear_session()  # Layers' numbers stand in saved files, and count from what was built before.
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # Keras has no call for these.

        threading = tf.config.threading
        if (threads, threads) != (
            threading.get_intra_op_parallelism_threads(),
            threading.get_inter_op_parallelism_threads(),
        ):
            threading.set_intra_op_parallelism_threads(threads)
            threading.set_inter_op_parallelism_threads(threads)
        tf.config.experimental.enable_op_determinism()
