//! The io_uring driver: operations, completions, buffers (the implementation belongs to the ring writer).
