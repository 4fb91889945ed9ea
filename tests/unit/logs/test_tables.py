"""Tables of metrics in every form that people print, and tables that are none."""

import pytest

from k12ai_ws.logs.batch import parse
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import Metrics

ROWS = [{"epoch": 1, "train_loss": 0.5, "val_acc": 0.8}, {"epoch": 2, "train_loss": 0.25, "val_acc": 0.9}]


def metrics(log: str) -> list[dict[str, float | None]]:
    return [dict(e.values) for e in parse(log.encode()) if isinstance(e, Metrics)]


FORMS = {
    "csv": """
epoch,train_loss,val_acc
1,0.5,0.8
2,0.25,0.9
""",
    "csv with quoted names, the index first": """
"","epoch","train_loss","val_acc"
"1",1,0.5,0.8
"2",2,0.25,0.9
""",
    "semicolons and decimal commas": """
epoch;train_loss;val_acc
1;0,5;0,8
2;0,25;0,9
""",
    "tabs": "epoch\ttrain_loss\tval_acc\n1\t0.5\t0.8\n2\t0.25\t0.9\n",
    "bars without spaces": """
epoch|train_loss|val_acc
1|0.5|0.8
2|0.25|0.9
""",
    "pandas": """
   epoch  train_loss  val_acc
0      1        0.50      0.8
1      2        0.25      0.9
""",
    "pandas without its index": """
 epoch  train_loss  val_acc
     1        0.50      0.8
     2        0.25      0.9
""",
    "an empty column": """
  epoch    train_loss    cp    val_acc
-------  ------------  ----  ---------
      1        0.5000     +     0.8000
      2        0.2500           0.9000
""",
    "rich": """
┏━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━┓
┃ epoch ┃ train_loss ┃ val_acc ┃
┡━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━┩
│ 1     │ 0.5        │ 0.8     │
│ 2     │ 0.25       │ 0.9     │
└───────┴────────────┴─────────┘
""",
    "rich, minimal": """
        ╷            ╷
  epoch │ train_loss │ val_acc
╶───────┼────────────┼─────────╴
  1     │ 0.5        │ 0.8
  2     │ 0.25       │ 0.9
        ╵            ╵
""",
    "PrettyTable": """
+-------+------------+---------+
| epoch | train_loss | val_acc |
+-------+------------+---------+
|   1   |    0.5     |   0.8   |
|   2   |    0.25    |   0.9   |
+-------+------------+---------+
""",
    "Markdown": """
| epoch | train_loss | val_acc |
|------:|-----------:|--------:|
| 1     | 0.5        | 0.8     |
| 2     | 0.25       | 0.9     |
""",
    "tabulate, presto": """
   epoch |   train_loss |   val_acc
---------+--------------+-----------
       1 |         0.5  |       0.8
       2 |         0.25 |       0.9
""",
    "tabulate, fancy grid": """
╒═════════╤══════════════╤═══════════╕
│   epoch │   train_loss │   val_acc │
╞═════════╪══════════════╪═══════════╡
│       1 │         0.5  │       0.8 │
├─────────┼──────────────┼───────────┤
│       2 │         0.25 │       0.9 │
╘═════════╧══════════════╧═══════════╛
""",
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_table_in_every_form(form: str) -> None:
    assert metrics(FORMS[form]) == ROWS


def test_rows_survive_any_split_and_a_restart() -> None:
    data = (FORMS["csv"] + FORMS["pandas"] + FORMS["PrettyTable"] + FORMS["tabulate, presto"]).encode()
    for cut in range(0, len(data), 7):
        first = Pipeline(["auto"])
        events = first.feed(data[:cut])
        second = Pipeline(["auto"])
        second.load(first.dump())
        events += second.feed(data[cut:]) + second.close(at_ms=1)
        assert [dict(e.values) for e in events if isinstance(e, Metrics)] == 4 * ROWS, cut


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            """
| Metric    | Value |
|-----------|-------|
| test_loss | 0.25  |
| size      | 0.5   |
""",
            [{"test_loss": 0.25}],
        ),
        (
            """
+----------+-------+-----+
|  Metric  | Train | Val |
+----------+-------+-----+
|   loss   |  0.5  | 0.6 |
""",
            [{"Train_loss": 0.5, "Val_loss": 0.6}],
        ),
        (
            """
|       | loss | acc |
|-------|------|-----|
| train | 0.5  | 0.8 |
| val   | 0.6  | 0.7 |
""",
            [{"train_loss": 0.5, "train_acc": 0.8}, {"val_loss": 0.6, "val_acc": 0.7}],
        ),
        (
            """
|   AP   |  AP50  |  APs  |
|:------:|:------:|:-----:|
|  40.2  |  61.1  | 24.3  |
""",
            [{"AP": 40.2, "AP50": 61.1, "APs": 24.3}],
        ),
        (
            """
| category   | AP     | category   | AP     |
|:-----------|:-------|:-----------|:-------|
| person     | 55.1   | car        | 30.2   |
""",
            [{"AP-person": 55.1, "AP-car": 30.2}],
        ),
        (
            """
----------------------------------
| rollout/            |          |
|    ep_rew_mean      | 22.3     |
| time/               |          |
|    fps              | 1234     |
|    total_timesteps  | 2048     |
| train/              |          |
|    clip_fraction    | 0.0954   |
----------------------------------
""",
            [{"rollout/ep_rew_mean": 22.3}, {"step": 2048, "train/clip_fraction": 0.0954}],
        ),
    ],
)
def test_drawn_tables_of_other_forms(table: str, expected: list[dict[str, float]]) -> None:
    assert metrics(table) == expected


@pytest.mark.parametrize(
    "log",
    [
        "id,age,score,label\n1,33,0.5,1\n2,34,0.7,0\n",
        "id,score,round\n3,0.3,1\n4,0.2,2\n",
        ",age,score,id\n0,3,0.3,1\n1,4,0.2,2\n",
        "+----+-------+---------+\n| id | score | species |\n+====+=======+=========+\n|  1 |   5.1 | setosa  |\n",
        "          a         b         c\n0  0.125730 -0.132105  0.640423\n1  1.304000  0.947081 -0.703735\n",
        "       sepal_length  sepal_width\ncount    150.000000   150.000000\nmean       5.843333     3.057333\n",
        "┃ Layer (type) ┃ Output Shape ┃ Param # ┃\n│ dense        │ (None, 10)   │ 110     │\n",
        "  | Name  | Type   | Params | Mode\n--\n0 | layer | Linear | 33     | train\n",
        "| batch_size | 32 |\n| dropout    | 0.5 |\n| lr         | 0.001 |\n",
    ],
)
def test_other_tables_are_left_alone(log: str) -> None:
    assert metrics(log) == []


def test_a_table_of_another_header_does_not_go_on_with_the_last_one() -> None:
    log = FORMS["pandas without its index"] + "   loss  step\n0   0.5    10\n1   0.4    20\n"
    assert metrics(log) == ROWS


def test_epochs_that_begin_again_behind_their_header_are_read() -> None:
    assert metrics(2 * FORMS["csv"]) == 2 * ROWS


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("Class Images Instances Box(P R mAP50 mAP50-95):", {"P": 0.5, "R": 0.4, "mAP50": 0.3, "mAP50-95": 0.2}),
        ("Class     Images  Instances      Box(P          R      mAP50  mA…:",  # cut by a terminal
         {"P": 0.5, "R": 0.4, "mAP50": 0.3, "mAP50-95": 0.2}),
        ("Class Images Labels P R mAP@.5 mAP@.5:.95:", {"P": 0.5, "R": 0.4, "mAP@.5": 0.3, "mAP@.5:.95": 0.2}),
        ("Class Images Instances Box(P R) Mask(P R):", {"Box P": 0.5, "Box R": 0.4, "Mask P": 0.3, "Mask R": 0.2}),
    ],
)  # fmt: skip
def test_results_by_class(names: str, expected: dict[str, float]) -> None:
    log = f"""
      Epoch    GPU_mem   box_loss  Instances       Size
        1/2         0G      1.379          2         64: 100%|████| 3/3 [00:00<00:00, 9.8it/s]
                 {names} 100%|████| 2/2 [00:00<00:00, 9.8it/s]
                   all          6          6      0.5  0.4  0.3  0.2
                     a          6          6      0.7  0.7  0.7  0.7
"""
    assert metrics(log) == [{"epoch": 1, "box_loss": 1.379}, {"epoch": 1, **expected}]
