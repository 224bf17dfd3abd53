"""Hand back a Parquet file of some kilobytes that decodes to gigabytes, one long text in every row: `GROUPS`.

Each group of rows holds 64 MiB.
"""

import sys

import pyarrow as pa
import pyarrow.parquet as pq

print("trying", flush=True)
ROWS = 2**16
column = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), ROWS), ["x" * 1024])
table = pa.table({"label": column.cast(pa.dictionary(pa.int32(), pa.string()))}).replace_schema_metadata(None)
with pq.ParquetWriter("out/answer", table.schema, compression="zstd", store_schema=False) as writer:
    for _ in range(int(sys.argv[1])):
        writer.write_table(table)
