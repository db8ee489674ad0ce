package main

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
)

// load reads the tables of all families, and puts into each class what it has from groups.
func load(fsys fs.FS) ([]*family, error) {
	var all []*family
	for _, fam := range families {
		f := &family{
			name: fam.name, prefix: fam.prefix,
			enums: map[string]*enum{}, returns: map[string]*returns{}, groups: map[string]*group{}, classes: map[string]*class{},
		}
		names, err := fs.Glob(fsys, path.Join(f.name, "*.txt"))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			text, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, err
			}
			t, err := parseTable(f, strings.TrimSuffix(path.Base(name), ".txt"), name, string(text))
			if err != nil {
				return nil, err
			}
			f.tables = append(f.tables, t)
		}
		all = append(all, f)
	}
	g := &generator{families: all}
	// Groups of CIM are for all families.
	for _, f := range all[1:] {
		for name, gr := range all[0].groups {
			if f.groups[name] == nil {
				f.groups[name] = gr
			}
		}
	}
	for _, f := range all {
		for _, name := range sortedKeys(f.classes) {
			if err := g.resolve(f, f.classes[name]); err != nil {
				return nil, fmt.Errorf("%s: class %s: %w", f.classes[name].where, name, err)
			}
		}
	}
	for _, f := range all {
		if err := g.check(f); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// generator knows all families, for types of one in another.
type generator struct {
	families []*family
}

// resolve copies the properties and methods of groups into a class. What the class itself says wins.
func (g *generator) resolve(f *family, c *class) error {
	seen := map[string]bool{}
	for _, p := range c.props {
		seen[p.name] = true
	}
	methods := map[string]bool{}
	for _, m := range c.meths {
		methods[m.name] = true
	}
	var add func(names []string, depth int) error
	add = func(names []string, depth int) error {
		if depth > 10 {
			return fmt.Errorf("groups go in circles")
		}
		for _, name := range names {
			gr := f.groups[name]
			if gr == nil {
				return fmt.Errorf("there is no group %s", name)
			}
			for _, p := range gr.props {
				if !seen[p.name] {
					seen[p.name] = true
					c.props = append(c.props, p)
				}
			}
			for _, m := range gr.meths {
				if !methods[m.name] {
					methods[m.name] = true
					c.meths = append(c.meths, m)
				}
			}
			if err := add(gr.like, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := add(c.like, 0); err != nil {
		return err
	}
	if !c.ordered {
		sort.SliceStable(c.props, func(i, j int) bool { return c.props[i].name < c.props[j].name })
	}
	return nil
}

// check finds mistakes that the Go compiler would report in a less helpful way, or not at all.
func (g *generator) check(f *family) error {
	types := map[string]string{}
	define := func(name, where string) error {
		if old := types[name]; old != "" {
			return fmt.Errorf("%s: %s is also at %s", where, name, old)
		}
		types[name] = where
		return nil
	}
	for _, name := range sortedKeys(f.enums) {
		e := f.enums[name]
		if err := define(e.name, e.where); err != nil {
			return err
		}
		for _, v := range e.values {
			if err := define(e.name+v.name, e.where); err != nil {
				return err
			}
		}
	}
	for _, name := range sortedKeys(f.classes) {
		c := f.classes[name]
		if err := define(c.goName, c.where); err != nil {
			return err
		}
		if err := g.checkProperties(f, c.props, "Class", "Present", "Extra"); err != nil {
			return err
		}
		for _, m := range c.meths {
			if m.doc == "" {
				return fmt.Errorf("%s: %s.%s says not what it does", m.where, c.name, m.name)
			}
			if err := define(c.goName+m.name, m.where); err != nil {
				return err
			}
			if err := define(c.goName+m.name+"Output", m.where); err != nil {
				return err
			}
			if err := g.checkProperties(f, m.ins, "Invoke"); err != nil {
				return err
			}
			if err := g.checkProperties(f, m.outs, "ReturnValue", "Extra"); err != nil {
				return err
			}
			if m.returns != "" {
				if _, err := g.returnNames(f, m.returns); err != nil {
					return fmt.Errorf("%s: %w", m.where, err)
				}
			}
		}
	}
	return nil
}

func (g *generator) checkProperties(f *family, props []property, taken ...string) error {
	seen := map[string]bool{}
	for _, p := range props {
		if seen[p.goName] || slices.Contains(taken, p.goName) {
			return fmt.Errorf("%s: %s is taken", p.where, p.goName)
		}
		seen[p.goName] = true
		if _, err := g.goType(f, p); err != nil {
			return fmt.Errorf("%s: %w", p.where, err)
		}
	}
	return nil
}

// basic are the types of CIM, and what they are in Go.
var basic = map[string]string{
	"string": "string", "bool": "bool", "secret": "wsman.Secret",
	"uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
	"int8": "int8", "int16": "int16", "int32": "int32", "int64": "int64", "real32": "float32",
	"base64": "[]byte", "datetime": "time.Time", "interval": "time.Duration", "ref": "wsman.Ref",
}

// goType returns the Go type of a property.
func (g *generator) goType(f *family, p property) (string, error) {
	typ, ok := basic[p.typ]
	if !ok {
		if isClass(p.typ) {
			owner, err := g.ownerOf(f, p.typ)
			if err != nil {
				return "", err
			}
			typ = qualified(f, owner, owner.classes[p.typ].goName)
			if !p.array {
				typ = "*" + typ
			}
		} else {
			name := p.typ
			owner := f
			if pkg, rest, dotted := strings.Cut(p.typ, "."); dotted {
				if owner = g.family(pkg); owner == nil {
					return "", fmt.Errorf("there is no family %s", pkg)
				}
				name = rest
			}
			if owner.enums[name] == nil {
				return "", fmt.Errorf("there is no type %s", p.typ)
			}
			typ = qualified(f, owner, name)
		}
	}
	switch {
	case p.array:
		typ = "[]" + typ
	case p.pointer:
		typ = "*" + typ
	}
	return typ, nil
}

func (g *generator) family(name string) *family {
	for _, f := range g.families {
		if f.name == name {
			return f
		}
	}
	return nil
}

func (g *generator) ownerOf(from *family, class string) (*family, error) {
	for _, f := range g.families {
		if f.classes[class] != nil {
			return f, nil
		}
		if f == from {
			break
		}
	}
	return nil, fmt.Errorf("there is no class %s that %s may use", class, from.name)
}

func qualified(from, owner *family, name string) string {
	if from == owner {
		return name
	}
	return owner.name + "." + name
}

// returnNames returns the Go expression for the names of return values.
func (g *generator) returnNames(f *family, name string) (string, error) {
	if name == "PTStatus" {
		return "wsman.PTStatus", nil
	}
	owner := f
	if pkg, rest, dotted := strings.Cut(name, "."); dotted {
		if owner = g.family(pkg); owner == nil {
			return "", fmt.Errorf("there is no family %s", pkg)
		}
		name = rest
	}
	if owner.returns[name] == nil {
		return "", fmt.Errorf("there is no returns %s", name)
	}
	return qualified(f, owner, name+"Names"), nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
