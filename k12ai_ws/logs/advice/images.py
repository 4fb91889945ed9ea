"""Advice on images: their transforms, and the shapes that layers for images want."""

from k12ai_ws.wire.codes import Code

from .entry import Advice, advice

_WANTED = r"Expected (?P<low>\d)D \(unbatched\) or (?P<high>\d)D \(batched\) input to (?P<layer>\w{1,80}), but got "
_TOO_MANY = (
    r"Expected (?:2D \(unbatched\) or 3D \(batched\) input to (?P<one>\w{1,80}), but got input of "
    r"size: (?P<got>\[\d+(?:, \d+){3,9}\])|3D \(unbatched\) or 4D \(batched\) input to (?P<two>\w{1,80}), but got "
    r"input of size: (?P<got_2>\[\d+(?:, \d+){4,9}\]))"
)

IMAGES: tuple[Advice, ...] = (
    advice(
        "",
        "(unbatched) or",
        r"Expected 3D \(unbatched\) or 4D \(batched\) input to (\w{1,80}), but got input of size: (\[\d+, \d+\])",
        "{1} wants images of the shape (batch, channels, height, width) and got {2}: give flattened rows their shape "
        "back, such as x.reshape(-1, 1, 28, 28); one grey image without its channel needs unsqueeze(0)",
        "{1}需要形状为(batch, 通道, 高, 宽)的图像, 实际为{2}: 展平的数据请恢复形状, 如x.reshape(-1, 1, 28, 28); "
        "缺少通道维的单张灰度图请用unsqueeze(0)",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "(unbatched) or",
        _TOO_MANY,
        "{one}{two} got an input with too many dimensions, {got}{got_2}: remove those of size 1 with squeeze, or join "
        "two with flatten or reshape",
        "{one}{two}的输入维数过多, 为{got}{got_2}: 大小为1的维请用squeeze去掉, 或用flatten、reshape合并两维",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "(unbatched) or",
        _WANTED + r"input of size: (?P<got>\[[^\]]{0,300}\])",
        "{layer} wants an input of {high} dimensions with the batch first, then the channels, and got {got}: add what "
        "is missing with unsqueeze, or reshape what was flattened",
        "{layer}需要{high}维输入 (先batch, 再通道), 实际为{got}: 缺少的维请用unsqueeze补上, 展平的数据请用reshape恢复",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "doesn't match the broadcast shape",
        r"output with shape (\[1, \d+, \d+\]) doesn't match the broadcast shape (\[3, \d+, \d+\])",
        "a grey image ({1}) was normalized with the values of three channels: use Normalize((0.5,), (0.5,)), or make "
        "it a colour image first (img.convert('RGB'))",
        "用三通道的参数归一化了灰度图 ({1}): 请用Normalize((0.5,), (0.5,)), 或先转为彩色图 (img.convert('RGB'))",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "",
        "doesn't match the broadcast shape",
        r"output with shape (\[[\d, ]{0,300}\]) doesn't match the broadcast shape (\[[\d, ]{0,300}\])",
        "a tensor of shape {1} was to hold a result of shape {2}: make the shapes equal first, or write x = x + y "
        "instead of x += y",
        "形状为{1}的张量无法存放形状为{2}的结果: 请先使形状一致, 或将x += y改为x = x + y",
        code=Code.VALUE_ERROR,
    ),
    advice(
        "TypeError",
        "should be PIL Image",
        r"(?:pic|[Ii]mg|image) should be PIL Image[\w ]{0,20}\. Got <class '(torch\.Tensor)'>",
        "this transform wants an image and got a tensor: ToTensor() stands twice, or before it; put it after all "
        "transforms of images, and once",
        "此变换需要图像, 实际收到张量: ToTensor()用了两次或过早; 请只用一次, 并放在所有图像变换之后",
    ),
    advice(
        "TypeError",
        "should be Tensor|should be PIL Image|Input tensor should be a float tensor",
        r"should be Tensor Image\. Got <class '(PIL\.[\w.]{1,80})'>|Input tensor should be a float tensor\. Got "
        r"([\w.]{1,80}?)\.?$",
        "this transform wants a float tensor and got {1}{2}: put ToTensor() before it",
        "此变换需要浮点张量, 实际为{1}{2}: 请在它之前使用ToTensor()",
    ),
    advice(
        "TypeError",
        "should be PIL Image|should be Tensor|Unexpected type <class '",
        r"(?:pic|[Ii]mg|image) should be (?:PIL Image|Tensor)[\w ]{0,20}\. Got <class '([\w.]{1,200})'>"
        r"|Unexpected type <class '((?:numpy|str|PIL|NoneType|list|dict)[\w.]{0,100})'>",
        "this transform got a value of type {1}{2}, no image: open files with PIL.Image.open(path), and turn arrays "
        "into images with PIL.Image.fromarray(x)",
        "此变换收到的是{1}{2}而不是图像: 文件请用PIL.Image.open(path)打开, 数组请用PIL.Image.fromarray(x)转换",
    ),
    advice(
        "",
        "Label class ",
        r"Label class (\d+) exceeds (?:nc=|dataset class count )(\d+)",
        "a label file has the class {1}, but the dataset's YAML file names {2}: classes count from 0, and nc and names "
        "must fit the labels",
        "标签文件中有类别{1}, 而数据集YAML中只有{2}类: 类别从0开始, nc和names须与标签一致",
        code=Code.VALUE_ERROR,
    ),
)
"""Tried in this order; the first that holds speaks."""
