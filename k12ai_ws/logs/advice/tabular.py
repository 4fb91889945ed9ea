"""Advice on scikit-learn and the gradient boosting libraries."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice, optional

TABULAR: tuple[Advice, ...] = (
    advice(
        "NotFittedError CatBoostError",
        "fitted|fit|trained model",
        r"is not fitted yet|need to call fit|not fitted, call fit|no trained model",
        "the model is used before it was trained: call fit first, or load a trained one",
        "模型在训练之前被使用: 请先调用fit, 或加载训练好的模型",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "X has ",
        r"X has (\d+) features, but \w{1,80} is expecting (\d+)",
        "the data has {1} columns, but the model was trained on {2}: prepare both the same way",
        "数据有{1}列, 而模型训练时是{2}列: 请以同样的方式预处理",
    ),
    advice(
        "",
        "number of features in data (|feature_names mismatch|feature names should match|present in model but not in "
        "pool|shoul"
        "d be feature with name|Feature shape mismatch|did not have the following fields",
        optional(r"in data \((\d+)\) is not the same as it was in training data \((\d+)\)"),
        "the data's columns are not those of the training[[ ({1} and {2})]]: prepare both the same way, with the "
        "same names and "
        "order",
        "数据的列与训练时不同[[ ({1}与{2})]]: 请以同样的方式预处理, 列名和顺序要一致",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "contains NaN|contains infinity|contains `inf`|Label contains NaN|NaN values are not supported",
        r"Input (?:X|y) contains (?:NaN|infinity)|contains `inf`|Label contains NaN|NaN values are not supported"
        r"|contains NaN",
        "the data has missing or infinite values: drop or fill them before training (dropna, fillna, SimpleImputer)",
        "数据中有缺失值或无穷大: 请在训练前删除或填充 (dropna、fillna、SimpleImputer)",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "could not convert string|to be a float|Unable to parse string|Cannot convert '",
        r"could not convert string (?:to float: )?(?:np\.str_\()?('[^']{0,60}'|\S{1,60}?)\)?(?: to \w{1,80}.*)?$"
        r"|Unable to parse string (\"[^\"]{0,60}\")|Cannot convert (b?'[^']{0,60}') to float|Unable to parse string "
        r"('[^']{0,300}')",
        "{1}{2}{3}{4} is text where a number is expected: encode text columns before training, and check for a "
        "header among the "
        "values",
        "{1}{2}{3}{4}是文本, 此处需要数字: 请在训练前对文本列编码, 并检查表头是否混入数据",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "must be int, float",
        r"(?:Invalid columns|bad pandas dtypes): ?([^\n]{1,100})",
        "some columns are no numbers ({1}): encode them, or make them the type 'category' (with "
        "enable_categorical=True in "
        "xgboost)",
        "有些列不是数字 ({1}): 请编码, 或转换为category类型 (xgboost需设enable_categorical=True)",
    ),
    advice(
        "",
        "Expected 2D array|Found array with dim",
        r"",
        "the data must be a table with rows and columns: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one "
        "sample, "
        "X.reshape(len(X), -1) for images",
        "数据必须是二维表: 单列用X.reshape(-1, 1), 单个样本用X.reshape(1, -1), 图像用X.reshape(len(X), -1)",
    ),
    advice(
        "",
        "Unknown label type",
        r"Unknown label type: \(?'?([\w-]{1,200})",
        "a classifier needs class names or whole numbers as labels and got {1} ones: use a regressor, or convert the "
        "labels "
        "(y.astype(int))",
        "分类器的标签应为类别名或整数, 实际为{1}: 请改用回归器, 或转换标签 (y.astype(int))",
    ),
    advice(
        "",
        "only one class|greater than one; got 1 class|only one unique value|least populated class|number of splits "
        "n_splits|cannot be greater than the number of members",
        r"n_splits=(\d+)|only one class|got 1 class|one unique value|least populated class\w* in y ha",
        "a class has too few samples, or there is only one class: check the labels, shuffle before splitting, or use "
        "fewer "
        "folds",
        "某个类别的样本太少, 或只有一个类别: 请检查标签, 划分前打乱数据, 或减少折数",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "label must be discrete values|Label must be in|Invalid classes inferred",
        optional(
            r"Label must be in (\[0, \d+\)), but found (-?\d+)|Expected: (\[[^\]]{0,300}\]), got (\[[^\]]{0,300}\])"
        ),
        "labels must count from 0 to num_class - 1[[; found {2}, allowed {1}]][[; found {4}, expected {3}]]: use "
        "LabelEncoder, "
        "and check num_class",
        "标签必须从0到num_class减1[[; 出现{2}, 允许{1}]][[; 出现{4}, 应为{3}]]: 请用LabelEncoder, 并检查num_class",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "label must be in [0,1] for logistic|must be in (0,1) for the logistic loss|binary objective",
        r"",
        "for this objective labels must be 0 or 1: convert them, or use multi:softprob (several classes) or "
        "reg:squarederror",
        "该目标函数要求标签为0或1: 请转换标签, 或改用multi:softprob (多分类) 或reg:squarederror",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Number of classes should be specified|Parameter num_class",
        r"",
        "several classes need num_class: set it to the number of different labels",
        "多分类需要num_class: 请设为不同标签的个数",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "Unknown objective|Unknown metric function|Invalid Input: '|loss is not supported",
        r"(?:Unknown objective(?: function| type name)?|Unknown metric function|Invalid Input): ?[`']?([\w:.-]{1,200})"
        r"|Unknown metric function (\w{1,80})|(\w{1,80}) loss is not supported",
        "{1}{2}{3} is no choice that this library offers: check the spelling in its parameter list",
        "该库没有选项{1}{2}{3}: 请对照参数文档检查拼写",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "LightGBMError XGBoostError CatBoostError",
        "Check failed: (|Invalid Parameter format|for Parameter|Maximum tree depth|should be greater|exceed bound",
        r"Check failed: \((\w{1,80})\) ?([<>=]+) ?\(([\w.]{1,200})\)|format for (\w{1,80}) expect (\w{1,80}) but "
        r"value='([^']{0,300})'"
        r"|value (\S{1,300}) for Parameter (\w{1,80}) should|Maximum tree (depth) is (\d+)",
        "a parameter has a value that is not allowed:[[ {1} must be {2} {3}]][[ {4} must be {5}, not {6}]][[ {8} may "
        "not be "
        "{7}]][[ {9} is at most {10}]]",
        "参数的值超出允许范围:[[ {1}必须{2} {3}]][[ {4}必须是{5}, 不能是{6}]][[ {8}不能是{7}]][[ {9}最大为{10}]]",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "InvalidParameterError",
        "",
        r"The '(\w{1,80})' parameter of (\w{1,80}) must be ((?:(?!\.? Got )[\s\S]){1,120})",
        "{2} does not accept[[ {got} as]] {1}: it must be {3}",
        "{2}的参数{1}不接受[[{got}]]: 必须是{3}",
        facts=r"\.? Got (?P<got>.{1,60}) instead",
    ),
    advice(
        "ValueError",
        "Invalid parameter ",
        r"Invalid parameter '?(\w{1,80})'? for estimator (\w{1,80})",
        "{2} has no parameter {1}: check the spelling (inside a Pipeline it is step__parameter)",
        "{2}没有参数{1}: 请检查拼写 (在Pipeline中应写作 步骤名__参数名)",
    ),
    advice(
        "ValueError",
        "previously unseen labels|Found unknown categories|Found unknown category",
        r"unseen labels: (.{1,60})|unknown categories (\[[^\]]{1,80}\])",
        "there are categories that the training data did not have ({1}{2}): fit the encoder on all of them, or use "
        "handle_unknown='ignore'",
        "出现了训练数据中没有的类别 ({1}{2}): 请用全部类别拟合编码器, 或设handle_unknown='ignore'",
    ),
    advice(
        "ValueError",
        "Target is multiclass but average='binary'|multi_class must be in",
        r"",
        "this score is for two classes: pass average='macro' (or multi_class='ovr' for ROC AUC)",
        "该指标默认用于二分类: 请传入average='macro' (ROC AUC用multi_class='ovr')",
    ),
    advice(
        "ValueError",
        "Classification metrics can't handle a mix|Mix of label input types",
        optional(r"mix of ([\w-]{1,200}) and ([\w-]{1,200}) targets"),
        "labels and predictions are of different kinds[[ ({1} and {2})]]: turn probabilities into classes (argmax, "
        "or > 0.5) first",
        "标签与预测的类型不同[[ ({1}与{2})]]: 请先将概率转换为类别 (argmax或> 0.5)",
    ),
    advice(
        "ValueError",
        "n_neighbors|n_clusters|n_components=",
        r"(n_neighbors|n_clusters|n_components)\D{1,5}(\d+)",
        "{1} is larger than the data allows: use a smaller number, or more samples",
        "{1}超过了数据允许的大小: 请减小该值或增加样本",
    ),
    advice(
        "ValueError",
        "empty vocabulary",
        r"",
        "no words are left after filtering: check that the texts are not empty, and the tokens' pattern (Chinese "
        "must be "
        "segmented first)",
        "过滤后没有剩余词语: 请检查文本是否为空以及分词规则 (中文需先分词)",
    ),
    advice(
        "ValueError",
        "Negative values in data",
        r"",
        "this model allows no negative numbers: use MinMaxScaler, or another model (GaussianNB)",
        "该模型不允许负数: 请用MinMaxScaler, 或换用其他模型 (GaussianNB)",
    ),
    advice(
        "",
        "For early stopping|validation dataset for early stopping|unexpected keyword argument 'early_stopping_rounds'",
        r"",
        "early stopping needs data to watch: pass eval_set or valid_sets (in newer LightGBM with "
        "callbacks=[early_stopping(10)])",
        "提前停止需要验证数据: 请传入eval_set或valid_sets (新版LightGBM用callbacks=[early_stopping(10)])",
    ),
    advice(
        "LightGBMError",
        "special JSON characters in feature name",
        r"",
        "LightGBM allows no brackets, commas, colons or quotes in column names: rename the columns",
        "LightGBM的列名不能含括号、逗号、冒号或引号: 请重命名列",
    ),
    advice(
        "XGBoostError LightGBMError CatBoostError",
        "ould not open|Cannot open data file|No such file or directory",
        r"(?:ould not open|Cannot open data file) (\S{1,300})|Opening (\S{1,300}) failed",
        "there is no {1}{2} where the job runs: check the path, and that it is inside the mounted folders",
        "任务运行环境中不存在{1}{2}: 请检查路径, 并确认它位于已挂载的目录内",
        code=Code.FILE_NOT_FOUND,
    ),
    advice(
        "ImportError",
        "load_boston",
        r"",
        "scikit-learn has removed load_boston: use fetch_california_housing, or a CSV file of your own",
        "scikit-learn已移除load_boston: 请用fetch_california_housing或自己的CSV文件",
    ),
    advice(
        "TypeError",
        "Sparse data was passed",
        r"",
        "this model cannot use sparse data: call .toarray() on it, or use sparse_output=False in the encoder",
        "该模型不支持稀疏数据: 请用.toarray()转换, 或在编码器中设sparse_output=False",
    ),
    advice(
        "CatBoostError",
        "constant or ignored|cat_features|no categorical features",
        r"",
        "CatBoost cannot use these columns: name text columns in cat_features (as text or whole numbers), and check "
        "that not all "
        "values are equal",
        "CatBoost无法使用这些列: 请在cat_features中列出文本列 (文本或整数), 并检查各列的值是否全部相同",
        code=Code.VALUE_ERROR,
    ),
)
"""Tried in this order; the first that holds speaks."""
