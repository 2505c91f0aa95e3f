package config

import (
	"fmt"
	"strings"

	"quell/pipeline/decode"
)

// Mapping describes how events are read from JSON that quell did not define.
type Mapping = decode.MappingSpec

// compileFormats compiles the formats of the raw topics, and reports what is wrong with mappings at
// the place that wrote it. Where something is wrong, a format is nil.
func (c *Config) compileFormats(v *checker) []*decode.Format {
	options := c.DecodeOptions()
	formats := make([]*decode.Format, len(c.Topics.Raw))
	for i, r := range c.Topics.Raw {
		switch {
		case r.Format == FormatQuell && r.UnknownFields == UnknownReject:
			formats[i] = decode.Native(options, decode.RefuseUnknown)
		case r.Format == FormatQuell:
			formats[i] = decode.Native(options, decode.KeepUnknown)
		case r.Mapping != nil:
			format, problems := decode.CompileMapping(*r.Mapping, options)
			formats[i] = format
			for _, p := range problems {
				if !strings.HasPrefix(p.Path, "limits.") { // Limits.check has told
					v.wrong(fmt.Sprintf("topics.raw[%d].mapping.%s", i, p.Path), "%s", p.Text)
				}
			}
		}
	}
	return formats
}

// OnlyTopic leaves the i-th raw topic as the only one.
func (c *Config) OnlyTopic(i int) error {
	if i < 0 || i >= len(c.Topics.Raw) {
		return fmt.Errorf("raw topic %d of %d", i, len(c.Topics.Raw))
	}
	c.Topics.Raw, c.compiled.formats = c.Topics.Raw[i:i+1], c.compiled.formats[i:i+1]
	return nil
}
