"""The choices with which a sweep starts."""

from stages.study.plan import choose, make_plan
from stages.tracking.records import Record
from tests.study.test_plan import scaled, small


def scored(**accuracies):
    """Finished runs with these accuracies on validation."""
    return {name: Record({"val_accuracy": value}, None, None) for name, value in accuracies.items()}


def test_the_best_on_validation_is_carried_once_its_sweep_is_settled(project):
    study, scale = small([0.1, 0.2, 0.3]), scaled(carry="measured")
    names = list(make_plan("birds", study, scale, {}).runs)
    records = scored(**{names[0]: 0.5, names[1]: 0.7})
    assert choose(study, scale, "birds", records, set(records)) == {}  # the third may yet be better
    assert choose(study, scale, "birds", records, set(names)) == {("vgg", "it"): 0.2}  # it has failed
    records = scored(**{names[0]: 0.7, names[1]: 0.7, names[2]: 0.7})
    assert choose(study, scale, "birds", records, set(names)) == {("vgg", "it"): 0.1}
    assert choose(study, scale, "birds", {}, set(names)) == {}
    assert choose(study, scaled(), "birds", {}, set()) == {("vgg", "it"): 0.1}


def test_the_mean_over_seeds_decides(project):
    study, scale = small([0.1, 0.2]), scaled(carry="measured", seeds=2)
    names = list(make_plan("birds", study, scale, {}).runs)
    records = scored(**dict(zip(names, (0.9, 0.1, 0.6, 0.5), strict=True)))
    assert choose(study, scale, "birds", records, set(names)) == {("vgg", "it"): 0.2}
