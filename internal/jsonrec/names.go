package jsonrec

// nameTable finds the field of a name: a hash table for few and short names, which are known beforehand.
type nameTable struct {
	slots []*field // a power of two, at least half of them nil
	shift uint
	seed  uint32
}

// newNameTable tries some seeds for the one that makes the fewest names collide.
func newNameTable(fields []field) nameTable {
	const seeds = 32
	t := nameTable{shift: 31}
	for 1<<(32-t.shift) < 4*len(fields) {
		t.shift--
	}
	best := -1
	for i := range uint32(seeds) {
		try := nameTable{shift: t.shift, seed: 0x9E3779B1 + 2*i*0x85EBCA77}
		if collisions := try.fill(fields); best < 0 || collisions < best {
			best, t = collisions, try
		}
	}
	return t
}

func (t *nameTable) fill(fields []field) (collisions int) {
	t.slots = make([]*field, 1<<(32-t.shift))
	for i := range fields {
		at := t.hash([]byte(fields[i].name))
		for t.slots[at] != nil {
			collisions++
			at = (at + 1) % uint32(len(t.slots))
		}
		t.slots[at] = &fields[i]
	}
	return collisions
}

func (t *nameTable) hash(name []byte) uint32 {
	n := len(name)
	h := uint32(n)
	if n > 0 {
		h += uint32(name[0])<<8 + uint32(name[n/2])<<16 + uint32(name[n-1])<<24
	}
	return h * t.seed >> t.shift
}

func (t *nameTable) find(name []byte) *field {
	for at := t.hash(name); ; at++ {
		f := t.slots[at&uint32(len(t.slots)-1)]
		if f == nil || f.name == string(name) {
			return f
		}
	}
}
