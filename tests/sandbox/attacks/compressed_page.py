"""Hand back a Parquet file of some kilobytes with one page that decompresses to `MIB`."""

import sys

import pyarrow as pa
import pyarrow.parquet as pq

print("trying", flush=True)
table = pa.table({"label": pa.array([b"x" * (int(sys.argv[1]) * 2**20)], pa.binary())})
pq.write_table(table, "out/answer", compression="zstd", use_dictionary=False, write_statistics=False)
