"""Modules whose package has another name: what to install for an `import` that failed."""

from collections.abc import Mapping

PACKAGES: Mapping[str, str] = {
    "Bio": "biopython",
    "Crypto": "pycryptodome",
    "Levenshtein": "python-Levenshtein",
    "MeCab": "mecab-python3",
    "OpenGL": "PyOpenGL",
    "OpenSSL": "pyOpenSSL",
    "PIL": "pillow",
    "absl": "absl-py",
    "apex": "NVIDIA apex, built from its source",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "clip": "OpenAI CLIP, from its repository",
    "community": "python-louvain",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "distutils": "setuptools",
    "detectron2": "detectron2, built from its source",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "PyMuPDF",
    "flash_attn": "flash-attn",
    "git": "GitPython",
    "github": "PyGithub",
    "google.cloud.storage": "google-cloud-storage",
    "google.protobuf": "protobuf",
    "grpc": "grpcio",
    "gym_super_mario_bros": "gym-super-mario-bros",
    "igraph": "python-igraph",
    "imblearn": "imbalanced-learn",
    "jieba_fast": "jieba-fast",
    "jwt": "PyJWT",
    "kornia_rs": "kornia-rs",
    "lightning_fabric": "lightning",
    "lightning_utilities": "lightning-utilities",
    "lpips": "lpips",
    "magic": "python-magic",
    "mmcv": "mmcv (or mmcv-lite)",
    "mpl_toolkits": "matplotlib",
    "MySQLdb": "mysqlclient",
    "odf": "odfpy",
    "osgeo": "GDAL",
    "past": "future",
    "pkg_resources": "setuptools",
    "pl_bolts": "lightning-bolts",
    "psycopg2": "psycopg2-binary",
    "pycocotools": "pycocotools",
    "pynvml": "nvidia-ml-py",
    "pytorch_lightning": "pytorch-lightning",
    "pywt": "PyWavelets",
    "rest_framework": "djangorestframework",
    "ruamel": "ruamel.yaml",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
    "sentence_transformers": "sentence-transformers",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "skopt": "scikit-optimize",
    "socks": "PySocks",
    "sox": "sox (pysox)",
    "stable_baselines3": "stable-baselines3",
    "tensorboard.compat": "tensorboard",
    "tensorflow_addons": "tensorflow-addons",
    "tensorflow_datasets": "tensorflow-datasets",
    "tensorflow_hub": "tensorflow-hub",
    "tensorflow_probability": "tensorflow-probability",
    "tf_keras": "tf-keras",
    "torch_cluster": "torch-cluster",
    "torch_geometric": "torch-geometric",
    "torch_scatter": "torch-scatter",
    "torch_sparse": "torch-sparse",
    "umap": "umap-learn",
    "usb": "pyusb",
    "websocket": "websocket-client",
    "win32api": "pywin32 (Windows alone)",
    "win32com": "pywin32 (Windows alone)",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
}
"""Import name -> name of the package, where the two differ."""


_SAME = """
    accelerate aiohttp albumentations bitsandbytes catboost click cloudpickle cupy dask datasets deepspeed dgl
    diffusers einops evaluate fastai fastapi flask flax gensim gradio gym gymnasium h5py httpx huggingface_hub
    imageio imgaug jax jieba joblib kaggle keras kornia librosa lightgbm lightning loguru lxml matplotlib
    mlflow monai networkx nibabel nltk numba numpy omegaconf onnx onnxruntime openai openpyxl optuna pandas
    peft plotly polars psutil pyarrow pydantic pydicom pyspark pytest ray regex requests rouge_score sacrebleu
    safetensors scipy seaborn sentencepiece seqeval setuptools shap soundfile spacy statsmodels sympy tabulate
    tensorboard tensorboardX tensorflow termcolor thop tiktoken timm tokenizers toml torch torchaudio
    torchinfo torchmetrics torchsummary torchtext torchvision tqdm transformers trl typer ultralytics urllib3
    wandb webdataset xgboost xlrd yacs
"""
SAME = frozenset(_SAME.split())
"""Libraries whose package has the import's name. A name that is in no table may be a file of one's own, and a package
of that name a stranger's: nobody is told to install it.
"""


def package_of(module: str) -> str:
    """The package that has a module, as it is to be installed: `cv2` gives `opencv-python-headless`.

    A module that is not in the table is taken for its package's name, which is so for most.
    """
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        found = PACKAGES.get(".".join(parts[:end]))
        if found is not None:
            return found
    return parts[0]
