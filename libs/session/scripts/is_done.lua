-- KEYS: the shard's strings.  ARGV: digest.  Returns 1 or 0.
return is_known(KEYS, ARGV[1]) and 1 or 0
