"""Hand back a Parquet file of some kilobytes whose column is a dictionary: one text of `SIZE` MiB, in every row."""

import sys

import pyarrow as pa
import pyarrow.parquet as pq

print("trying", flush=True)
column = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), 1000), ["x" * int(sys.argv[1]) * 2**20])
pq.write_table(pa.table({"label": column}), "out/answer", compression="zstd")
