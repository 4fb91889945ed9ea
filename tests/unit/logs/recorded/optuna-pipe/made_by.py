"""Optuna 4: trials, whose parameters are no metrics, and a study's bar.

python made_by.py > log.txt 2>&1
"""

import optuna


def objective(trial):
    x = trial.suggest_float("x", -1, 1)
    dropout = trial.suggest_float("loss_weight", 0.0001, 0.1, log=True)
    return x * x + dropout


study = optuna.create_study(study_name="quadratic", sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(objective, n_trials=5)
print("Best params:", study.best_params)
study.optimize(objective, n_trials=3, show_progress_bar=True)
