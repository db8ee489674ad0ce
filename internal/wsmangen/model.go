package main

// family is one package: all classes whose names have the same prefix.
type family struct {
	name    string // "amt", the name of the package
	prefix  string // "AMT_"
	tables  []*table
	enums   map[string]*enum
	returns map[string]*returns
	groups  map[string]*group
	classes map[string]*class
}

// table is one file of the source, and one of the output.
type table struct {
	name    string // "boot"
	enums   []*enum
	returns []*returns
	classes []*class
}

// enum is a named enumeration.
type enum struct {
	name, base string
	doc        string
	values     []value
	where      string
}

// value is a constant of an enumeration, or a return value.
type value struct {
	number uint64
	name   string
	doc    string
}

// returns names the return values of methods.
type returns struct {
	name   string
	doc    string
	values []value
	where  string
}

// group is a list of properties and methods that several classes have, such as those of a superclass.
type group struct {
	name  string
	like  []string
	props []property
	meths []method
	where string
}

// class is a class of the schema.
type class struct {
	name    string // "AMT_GeneralSettings"
	goName  string // "GeneralSettings"
	doc     string
	notes   []string
	does    string // its operations
	since   string
	until   string
	ordered bool // keep the order of the table; else by name, as firmware does
	like    []string
	props   []property
	meths   []method
	where   string
}

// property is a property of a class, or a parameter of a method.
type property struct {
	name, goName string
	typ          string // as in the table, without []
	array        bool
	key          bool
	writable     bool
	writeOnly    bool
	optional     bool // not written if zero
	pointer      bool // absent and zero are different
	since, until string
	unit         string
	doc          string
	where        string
}

// method is a method of a class.
type method struct {
	name    string
	doc     string
	since   string
	until   string
	returns string
	ins     []property
	outs    []property
	where   string
}

// families of classes, each after those whose types it may use.
var families = []struct{ name, prefix string }{
	{"cim", "CIM_"},
	{"ips", "IPS_"},
	{"amt", "AMT_"},
}
