package wsman

// Limits bound what a message may hold. Zero means the default.
type Limits struct {
	Size       int // bytes of a message: 1 MiB
	Depth      int // elements within elements: 32
	Elements   int // 65536
	Attributes int // of one element, declarations of namespaces included: 64
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{{&l.Size, 1 << 20}, {&l.Depth, 32}, {&l.Elements, 1 << 16}, {&l.Attributes, 64}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return l
}
