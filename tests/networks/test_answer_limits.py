import numpy as np

from stages.networks.answer_limits import AnswerLimits


def test_what_is_beyond_the_limit_is_refused():
    novelty = np.array([0.2, 0.5, 0.7])
    assert AnswerLimits(novelty=0.5, least_probability=0).refuse(novelty).tolist() == [False, False, True]
    assert not AnswerLimits(novelty=None, least_probability=0).refuse(novelty).any()


def test_the_most_probable_class_is_likely_and_others_from_the_limit_on():
    probabilities = np.array([[0.4, 0.35, 0.25], [0.5, 0.3, 0.2], [0.3, 0.3, 0.4]])
    limits = AnswerLimits(novelty=None, least_probability=0.35)
    assert limits.find_likely(probabilities).astype(int).tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert AnswerLimits(novelty=None, least_probability=0).find_likely(probabilities).all()
