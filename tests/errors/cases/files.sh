# The file itself: not there, not a model, not whole.
case_file_missing() { refused 'nowhere\.onnx' 'no such file' 'check the path' tool nowhere.onnx; }
case_file_is_a_folder() { mkdir net.onnx; refused 'net\.onnx' 'a folder' 'name the \.onnx file' tool net.onnx; }
case_file_is_a_pipe() { mkfifo net.onnx; refused 'net\.onnx' 'not a regular file' 'name an \.onnx file' tool net.onnx; }
case_file_empty() { refused 'empty\.onnx' 'empty' 'export the model again' compiling empty; }
case_file_cut_in_half() { refused 'cut_half\.onnx' 'truncated' 'copy the file again' compiling cut_half; }
case_file_cut_by_one_byte() { refused 'cut_one\.onnx' 'truncated' 'copy the file again' compiling cut_one; }
case_file_is_text() { refused 'text\.onnx' 'not an ONNX file|no graph' 'name an \.onnx' compiling text; }
case_file_is_noise() { refused 'noise\.onnx' 'not an ONNX file|damaged' 'name an \.onnx|copy' compiling noise; }
case_file_is_a_checkpoint() { refused 'checkpoint\.onnx' 'PyTorch' 'torch\.onnx\.export' compiling checkpoint; }
case_file_has_flipped_bytes() { refused 'flipped\.onnx' '.' 'again|export' compiling flipped; }
case_file_claims_2_gib() { refused 'claims_2gib\.onnx' '2147483647 bytes, of which 20' 'copy' compiling claims_2gib; }
case_file_claims_2_gib_inside() { refused 'claims_2gib_inside\.onnx' 'damaged' 'again' compiling claims_2gib_inside; }
case_file_of_2_gib() {
  truncate -s 2147483648 large.onnx  # sparse
  refused 'large\.onnx' '2 GiB' 'external data' tool large.onnx
}
case_file_without_graph() { refused 'no_graph\.onnx' 'no graph' 'name an \.onnx model' compiling no_graph; }
