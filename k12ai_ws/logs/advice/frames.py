"""Advice on pandas and tables in files."""

from .entry import Advice, advice, optional

FRAMES: tuple[Advice, ...] = (
    advice(
        "KeyError",
        "not in index|not found in axis|are in the [columns]|are in the [index]",
        r"(\[[^\]]{1,120}\]) not (?:in index|found in axis)|None of (.{1,120}?) are in the",
        "the table has no columns {1}{2}: print df.columns, and check spelling, spaces and letter case",
        "表中没有列{1}{2}: 请打印df.columns, 并检查拼写、空格和大小写",
    ),
    advice(
        "KeyError",
        "",
        r"^(.{1,120})$",
        "the table has no column or row {1}: print df.columns, and check spelling, spaces and letter case",
        "表中没有列或行{1}: 请打印df.columns, 并检查拼写、空格和大小写",
        file="/pandas/",
    ),
    advice(
        "ValueError",
        "Length of values|All arrays must be of the same length|Length mismatch",
        optional(
            r"Length of values \((\d+)\) does not match length of index \((\d+)\)|Expected axis has (\d+) elements, "
            r"new "
            r"values "
            r"have (\d+)"
        ),
        "a table's columns must be equally long[[: {1} values for {2} rows]][[: {4} names for {3} columns]]",
        "表的各列长度必须相同[[: {2}行却有{1}个值]][[: {3}列却有{4}个名称]]",
    ),
    advice(
        "MergeError",
        "",
        r"",
        "the two tables share no column to merge on: name it with on=, or left_on= and right_on=",
        "两个表没有可合并的共同列: 请用on=或left_on=和right_on=指定",
    ),
    advice(
        "ValueError",
        "You are trying to merge on",
        r"merge on (\S{1,300}) and (\S{1,300}) columns for key '([^']{1,300})'",
        "the column {3} is {1} in one table and {2} in the other: convert one with astype before merging",
        "列{3}在一个表中是{1}, 在另一个表中是{2}: 请在合并前用astype转换",
    ),
    advice(
        "ValueError",
        "Usecols do not match columns",
        r"not found: (\[[^\]]{0,300}\])",
        "the CSV file has no columns {1}: check its first line, its separator (sep=) and its encoding",
        "CSV文件中没有列{1}: 请检查首行、分隔符 (sep=) 和编码",
    ),
    advice(
        "AttributeError",
        "'DataFrame' object has no attribute",
        r"attribute '(\w{1,80})'",
        "a table has no column or function {1}: check df.columns (append was replaced by pd.concat, ix by loc)",
        "表没有列或函数{1}: 请检查df.columns (append已改为pd.concat, ix已改为loc)",
    ),
    advice(
        "ParserError",
        "Error tokenizing data",
        optional(r"Expected (\d+) fields in line (\d+), saw (\d+)"),
        "the CSV file's rows differ in length[[: line {2} has {3} values, not {1}]]; check the separator (sep=) and "
        "quotes, or "
        "use on_bad_lines='skip'",
        "CSV文件各行列数不同[[: 第{2}行有{3}列, 应为{1}列]]; 请检查分隔符 (sep=) 和引号, 或设on_bad_lines='skip'",
    ),
    advice(
        "EmptyDataError ParserError",
        "",
        r"",
        "the CSV file is empty or cannot be read as a table: check its contents, the separator and the header",
        "CSV文件为空或无法解析为表格: 请检查内容、分隔符和表头",
    ),
    advice(
        "",
        "Parquet magic bytes not found|Excel file format cannot be determined",
        r"",
        "the file is of another format than its reader expects, or damaged: check what it is, and use read_csv, "
        "read_excel or "
        "read_parquet accordingly",
        "文件格式与读取函数不符, 或已损坏: 请确认格式, 并相应使用read_csv、read_excel或read_parquet",
    ),
)
"""Tried in this order; the first that holds speaks."""
