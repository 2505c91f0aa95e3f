package config

import _ "embed" // the sample

//go:embed sample.yaml
var sample []byte

// Sample returns the complete configuration with every key, its default and what it means.
func Sample() []byte { return append([]byte{}, sample...) }
