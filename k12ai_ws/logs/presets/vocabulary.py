"""The words of training logs: which names are metrics, which are positions, which never are either."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


POSITIONS = {
    "epoch": "epoch", "epochs": "epoch", "ep": "epoch", "epoch_num": "epoch", "current_epoch": "epoch",
    "step": "step", "steps": "step", "global_step": "step", "iter": "step", "iters": "step", "iteration": "step",
    "iterations": "step", "it": "step", "batch": "batch", "train_epoch": "epoch", "training_epoch": "epoch",
    "num_updates": "step", "update": "step", "round": "step", "e": "epoch", "#": "step", "global_iter": "step",
    "validation_epoch": "epoch", "val_epoch": "epoch", "test_epoch": "epoch", "eval_epoch": "epoch", "rank": "rank",
    "results_epoch": "epoch", "episode": "episode", "episodes": "episode", "itr": "step", "itrs": "step",
    "train_num_updates": "step", "valid_num_updates": "step",
    "训练轮次": "epoch", "训练轮数": "epoch", "轮次": "epoch", "轮数": "epoch", "周期": "epoch", "训练次数": "step",
    "迭代": "step", "迭代次数": "step", "步数": "step", "回合": "episode",
    "num_timesteps": "step", "total_timesteps": "step", "timestep": "step", "timesteps": "step",
}  # fmt: skip
"""Names (as `normal` gives them) of positions, and what they are called in a metrics event."""

_METRIC = _words(
    """
    loss losses acc accuracy acc1 acc5 top1 top5 f1 f1score precision recall auc auroc auprc prauc aucpr roc mse
    mae rmse mape msle rmsle r2 bleu rouge rouge1 rouge2 rougel rougelsum meteor cider chrf perplexity ppl map
    map50 ap ap50 ap75 iou miou giou dice jaccard error err score logloss nll bce kl kld elbo psnr ssim lpips
    fid kid wer cer ter em mcc reward return ndcg mrr map5095 objective entropy crossentropy cross likelihood l1 l2
    auc1 gini kappa sensitivity specificity silhouette inertia bpc bpb mlm eer map@50 las uas correlation
    pearson spearman spearmanr matthews r2score hinge huber regret fitness pck oks merror mlogloss ploss
    vloss tloss dloss gloss aac acer dev deviance logprob residual prec bacc macc aacc mdice mfscore rew rewards
    rocauc aucroc microf1 macrof1 returns nme ade fde epe pesq stoi sdr sisdr mrr rmsd tm recalls accuracies cost
    """
)
_COMPANION = _words(
    """
    lr learning_rate grad_norm gradnorm gnorm grad norm
    """
)
"""Reported where they stand beside a metric, and not alone: in a configuration they mean something else."""
_NEVER = _words(
    """
    time times eta elapsed sec secs seconds second ms min max mins size sizes param params parameters seed
    workers batch_size bs bsz num count counts total samples sample mem memory gpu cpu gpus cpus vram ram
    version port pid threshold weight weights decay weight_decay dropout scale smoothing momentum patience
    lambda eps epsilon alpha beta gamma std mean_std shape dim dims layers heads hidden vocab len length width
    height channels kernel stride padding uptime usage util utilization temperature temp power fan speed rate
    img images tokens examples fps flop flops tflop tflops gflops wps ups wpb data duration wall runtime remaining
    throughput per id
    index idx sec_per warmup interval freq frequency rows cols columns features classes labels free used byte
    bytes mb gb kb mhz ghz host ip address mask class bins factor ratio coef coefficient margin clip tolerance
    tol start end train_wall estimators depth leaves fold folds k n p nnz score_from from initscore budget
    reduction avail penalty bias scaling mfu instances sub-exceptions nodes world_size mom skipped dur took thr thresh
    fn func function coeff cutoff ips code progress timestamp ts tps timer latency
    """
)
_PARTS = _words(
    """
    mask class classes image img duration length bias layer layers heads token tokens start end index rate
    """
)
"""Of these a loss or a score is measured too (`loss_mask`), where they stand behind it."""
SPLITS = _words(
    """
    train training val valid validation eval evaluation test testing dev held heldout holdout learn
    """
)
"""What a name says of the data that it was measured on."""
_QUALIFIERS = _words(
    """
    avg average mean best final total overall macro micro weighted top set last new current running moving smoothed
    step epoch batch per all the min max std k abs rel reg cls box obj seg dfl rpn policy value g d on data my episode
    ep lm so far log
    """
)
"""Words that may stand in a metric's name and say no more of it."""
_AMBIGUOUS = _words("l1 l2 kl entropy score ap map margin cross likelihood residual hinge em dev tm cost")
"""Metrics that settings are named after, too."""
_OF_ERRORS = _words(
    "mean absolute squared square root median percentage average equal rate forecast test train training validation"
)
"""What an error is that was measured (`mean absolute error`), and none that happened (`CUDA error`)."""
_SCORES = _words("accuracy acc f1 auc roc mae mse rmse mape r2 mcc kappa recall precision error")
"""What a model is measured by, and what no weight or switch is called."""
COUNTED = _words("precision error err errors")
"""A whole number of these is a count of bits or of failures, and no metric."""
PROSE = _words("from of the is are was to with in at for by be will and or a an than about")
UNITS = _words("s sec secs seconds ms us ns min mins h gb mb kb gib mib bytes hz")
_TOP = re.compile(r"(?:\w{1,12}[_/ ])?top_\d{1,2}(?:$|[_/ ]|acc)")
_WORD = re.compile(r"(?:[a-zA-Z\d]+|[^\W_a-zA-Z\d]+)(?:@\d+)?")
_THOUSANDS = re.compile(r"(?<=[a-z])\d{1,6}k$")
"""`fid50k`: of so many samples."""
_CAMEL = re.compile(r"(?<=[a-z]{2})(?=[A-Z])")


def normal(name: str) -> str:
    """A name in small letters with its words joined by `_`.

    >>> normal("Train  Epoch")
    'train_epoch'
    """
    return "_".join(name.lower().split()).replace("-", "_").strip("_")


def words(name: str) -> list[str]:
    """The words of a name, in small letters: `valLoss/top-1` gives val, loss, top, 1."""
    return [word.lower() for word in _WORD.findall(_CAMEL.sub(" ", name.replace("^", "")))]


_CHINESE = (
    "损失", "准确率", "正确率", "识别率", "精度", "精确率", "召回率", "误差", "困惑度", "交并比", "奖励", "轮廓系数",
    "模型得分", "训练集得分", "测试集得分", "验证集得分",
)  # fmt: skip
_PHRASES = _words(
    """
    r_squared adjusted_r_squared coefficient_of_determination squared_correlation_coefficient
    matthews_correlation_coefficient explained_variance adjusted_rand_index adjusted_rand_score
    normalized_mutual_info normalized_mutual_information homogeneity completeness v_measure silhouette_coefficient
    calinski_harabasz_index davies_bouldin_index area_under_pr area_under_roc area_under_curve
    """
)
"""Measures whose names hold words that are none, or settings', alone."""
_EPISODES = re.compile(r"(?:Average|Std|Max|Min)?EpRet$")
"""What an episode returned, as Spinning Up calls it."""


def _is_metric(word: str) -> bool:
    stem, at, _ = word.partition("@")
    if at or not word.isascii():
        return bool(at) or any(metric in word for metric in _CHINESE)
    return (
        word in _METRIC
        or stem in _METRIC
        or stem.rstrip("0123456789") in _METRIC
        or _THOUSANDS.sub("", stem) in _METRIC
    )


def kind(name: str) -> str:
    """What a name is: `position`, `metric`, `companion` (such as `lr`), `split` (a bare `test`), `never` or `other`."""
    flat = normal(name)
    if flat in POSITIONS:
        return "position"
    if flat in _COMPANION or flat == "学习率":
        return "companion"
    parts = words(name)
    if not parts:
        return "never"
    if flat in _PHRASES or _EPISODES.match(name):
        return "metric"
    known = [word for word in parts if _is_metric(word)] or _TOP.match(flat)
    if known:
        if parts[-1] == "cost" and not {"time", "batch", "data", "reader", "feed"}.isdisjoint(parts):
            return "never"  # MXNet's and Paddle's seconds
        if any(word in ("weight", "weights", "threshold", "smoothing", "packet") for word in parts) or flat in _NEVER:
            return "never"
        if parts[-1] == "total" and "loss" in parts and len(_NEVER.intersection(parts)) == 1:
            return "metric"  # a sum of losses
        if parts[-1] in _NEVER and not (parts[-1] in _PARTS and _is_metric(parts[0])):
            return "never"
        return "metric"
    if len(parts) == 1 and parts[0] in SPLITS:
        return "split"
    if (parts[-1] == "lr" and _NEVER.isdisjoint(parts)) or flat.startswith("lr("):  # Paddle's `lr(LinearWarmup)`
        return "companion"
    if any(word in _NEVER for word in parts) or flat in _NEVER:
        return "companion" if parts[-2:] == ["learning", "rate"] or parts[-2:] == ["grad", "norm"] else "never"
    return "other"


def says_no_more(name: str) -> bool:
    """Whether a name is a metric's only beside one: `best` of `F1: 0.9 (best: 0.95)`."""
    return all(word in _QUALIFIERS or word in SPLITS for word in words(name))


def is_validation(name: str) -> bool:
    """Whether a metric's name says that it was measured on validation data."""
    return bool(words(name)) and words(name)[0] in ("val", "valid", "validation", "eval", "dev")


_CAPITALS = re.compile(r"(?<![A-Za-z\d])(?:m?AP|EM|KL|TM)(?![A-Za-z\d])")
"""What settings are named after in small letters alone."""


_WISHES = _words(
    """
    target goal desired required expected wanted default initial minimum maximum min max allowed label smoothing weight
    weighted weights early stop stopping nms conf confidence iou score matching noise base auxiliary aux use using type
    function threshold float double int const let var auto baseline minimal maximal human published reference state
    reported random chance
    """
)
"""What stands before a metric's name in a setting: `Target accuracy: 0.95`."""


def plain(name: str) -> bool:
    """Whether no setting is named so: every word of a metric's name is known, or the words before it say whose it is
    (`Decision Tree Accuracy`).
    """
    parts = words(name)
    if parts == ["hamming", "loss"]:
        return True
    if " " in name and name[:1].isupper() and parts[-1] in _SCORES and _WISHES.isdisjoint(parts):
        return parts[-1] not in COUNTED or _OF_ERRORS.issuperset(parts[:-1])
    if not all(_is_metric(w) or w in SPLITS or w in _QUALIFIERS or w.isdigit() for w in parts):
        return False
    metrics = [w for w in parts if _is_metric(w)]
    told = _CAPITALS.search(name) or not SPLITS.isdisjoint(parts)
    return bool(metrics) and (bool(told) or any(w not in _AMBIGUOUS for w in metrics))
