# A trained ViT is cut to half of its flash and 70 % of its arena, as compiled, for at most 3 points, without labels.
exec "$O2M_SOURCE/bench/cut" --check
