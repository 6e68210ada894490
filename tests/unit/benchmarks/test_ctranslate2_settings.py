"""CTranslate2 runs in the setting that suits it best."""

from __future__ import annotations

from benchmarks.ctranslate2_settings import SETTINGS, Setting, fastest, settings_for


def test_the_setting_with_the_least_cost_is_chosen_though_a_trial_of_it_was_disturbed():
    true_cost = {setting: 10.0 + i for i, setting in enumerate(reversed(SETTINGS))}
    trials: list[Setting] = []

    def cost(setting: Setting) -> float:
        trials.append(setting)
        disturbed = setting == SETTINGS[-1] and trials.count(setting) == 2
        return true_cost[setting] + 100 * disturbed

    assert fastest(SETTINGS, cost, trials=2) == SETTINGS[-1]
    assert trials == [*SETTINGS, *SETTINGS]


def test_where_there_is_no_choice_nothing_is_tried():
    assert fastest([Setting(1)], lambda _: 1 / 0, trials=2) == Setting(1)


def test_no_setting_is_tried_that_makes_the_batches_of_another():
    assert settings_for(8) == [Setting(8)]
    sizes = [s.max_batch_size for s in settings_for(32) if s.batch_type == "examples"]
    assert sizes == [8, 16, 32]
    assert settings_for(500) == list(SETTINGS)
