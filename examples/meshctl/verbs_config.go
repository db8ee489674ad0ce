package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// domainValues are the settings of a domain that meshctrl sets, and what form they have.
var domainValues = []struct { //nolint:gochecknoglobals // constant
	name string
	form byte // 0 text, number or flag; '{' object; '[' list
}{
	{"title", 0}, {"title2", 0}, {"titlepicture", 0}, {"trustedcert", 0}, {"welcomepicture", 0}, {"welcometext", 0},
	{"userquota", 0}, {"meshquota", 0}, {"newaccounts", 0}, {"usernameisemail", 0}, {"newaccountemaildomains", '['},
	{"newaccountspass", 0}, {"newaccountsrights", '['}, {"geolocation", 0}, {"lockagentdownload", 0}, {"userconsentflags", 0},
	{"usersessionidletimeout", 0}, {"auth", 0}, {"ldapoptions", '{'}, {"ldapusername", 0}, {"ldapuserbinarykey", 0},
	{"ldapuseremail", 0}, {"footer", 0}, {"certurl", 0}, {"loginkey", '['}, {"userallowedip", 0}, {"agentallowedip", 0},
	{"agentnoproxy", 0}, {"agentconfig", '['}, {"orphanagentuser", 0}, {"httpheaders", '{'}, {"yubikey", '{'},
	{"passwordrequirements", '{'}, {"limits", '{'}, {"amtacmactivation", '{'}, {"redirects", '{'}, {"sessionrecording", '{'},
	{"hide", 0}, {"customfiles", '{'},
}

// isDomainValue tells it of a flag.
func isDomainValue(name string) bool {
	for _, v := range domainValues {
		if v.name == strings.ToLower(name) {
			return true
		}
	}
	return false
}

// configCommands is the verb that changes a config.json on this machine.
func (a *app) configCommands() []*cobra.Command {
	var file, add, remove, set, unset string
	var show, list bool
	var c *cobra.Command
	c = a.verb("config", "Look at and change a server's config.json on this machine", func(context.Context, *cobra.Command) error {
		path, err := findConfig(file)
		if err != nil {
			return err
		}
		config, err := readConfig(path)
		if err != nil {
			return err
		}
		given := map[string]string{}
		for _, v := range domainValues {
			if f := c.Flags().Lookup(v.name); f.Changed {
				given[v.name] = f.Value.String()
			}
		}
		changed := c.Flags().Changed
		switch {
		case changed("adddomain"):
			err = config.addDomain(add, given)
		case changed("removedomain"):
			err = config.removeDomain(remove)
		case changed("settodomain"):
			err = config.setTo(set, given)
		case changed("removefromdomain"):
			err = config.removeFrom(unset, given)
		case list:
			t := table{columns: []string{"domain"}, json: config.names(), none: "No domains found."}
			for _, name := range config.names() {
				t.add(name)
			}
			return a.list(&t)
		default:
			return a.printRaw(config.text())
		}
		if err != nil {
			return err
		}
		if err := config.save(path); err != nil {
			return err
		}
		return a.done("Done.")
	})
	f := c.Flags()
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ToLower(name))
	})
	f.StringVar(&file, "file", "", "the `FILE`; config.json here or in meshcentral-data")
	f.BoolVar(&show, "show", false, "print the file")
	f.BoolVar(&list, "listdomains", false, "list the domains besides the default one")
	f.StringVar(&add, "adddomain", "", "add this `DOMAIN`, with the settings that are given")
	f.StringVar(&remove, "removedomain", "", "remove this `DOMAIN`")
	f.StringVar(&set, "settodomain", "", "change the settings of this `DOMAIN`; an empty one is removed")
	f.StringVar(&unset, "removefromdomain", "", "remove settings of this `DOMAIN`")
	for _, v := range domainValues {
		usage := "a setting of the domain: text, a number, true or false"
		if v.form != 0 {
			usage = "a setting of the domain, in JSON"
		}
		f.String(v.name, "", usage)
	}
	modes := []string{"show", "listdomains", "adddomain", "removedomain", "settodomain", "removefromdomain"}
	c.MarkFlagsOneRequired(modes...)
	c.MarkFlagsMutuallyExclusive(modes...)
	c.Long = c.Short + ".\n\nThe members keep their order, numbers and spelling; comments are not JSON and not taken."
	return []*cobra.Command{c}
}

// findConfig is where the file is.
func findConfig(file string) (string, error) {
	if file != "" {
		return file, nil
	}
	for _, path := range []string{"config.json", filepath.Join("meshcentral-data", "config.json"), filepath.Join("..", "meshcentral-data", "config.json")} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", usageError("%v", err)
		}
	}
	return "", usageError("there is no config.json here or in meshcentral-data: use --file")
}

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

func parseObject(raw []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("want an object")
	}
	o := object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var m member
		m.name, _ = name.(string) // names are strings
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		o = append(o, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("something follows the object")
	}
	return o, nil
}

func (o object) text() json.RawMessage {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(m.name) // a string always can
		b = append(append(append(b, name...), ':'), m.value...)
	}
	return append(b, '}')
}

// index finds a member; names of settings are told apart without regard to case, as servers do.
func (o object) index(name string, exact bool) int {
	return slices.IndexFunc(o, func(m member) bool { return m.name == name || !exact && strings.EqualFold(m.name, name) })
}

func (o *object) set(name string, value json.RawMessage, exact bool) {
	if i := o.index(name, exact); i >= 0 {
		(*o)[i].value = value
		return
	}
	*o = append(*o, member{name, value})
}

func (o *object) remove(name string, exact bool) {
	if i := o.index(name, exact); i >= 0 {
		*o = slices.Delete(*o, i, i+1)
	}
}

// configFile is a config.json and its domains.
type configFile struct {
	root, domains object
}

func readConfig(path string) (*configFile, error) {
	b, err := readSmall(path)
	if err != nil {
		return nil, usageError("%v", err)
	}
	c := &configFile{}
	if c.root, err = parseObject(b); err != nil {
		return nil, usageError("%s: %v", path, err)
	}
	if i := c.root.index("domains", true); i >= 0 {
		if c.domains, err = parseObject(c.root[i].value); err != nil {
			return nil, usageError("%s: domains: %v", path, err)
		}
	}
	return c, nil
}

func (c *configFile) text() json.RawMessage {
	if len(c.domains) > 0 || c.root.index("domains", true) >= 0 {
		c.root.set("domains", c.domains.text(), true)
	}
	return c.root.text()
}

func (c *configFile) save(path string) error {
	var b bytes.Buffer
	if err := json.Indent(&b, c.text(), "", "  "); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := replaceFile(path, append(b.Bytes(), '\n')); err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm())
}

// names lists the domains besides the default one and those that are put out of use by an underscore.
func (c *configFile) names() []string {
	names := []string{}
	for _, m := range c.domains {
		if m.name != "" && m.name[0] != '_' {
			names = append(names, m.name)
		}
	}
	return names
}

func (c *configFile) addDomain(name string, given map[string]string) error {
	if c.domains.index(name, true) >= 0 {
		return errRefused("domain " + quoted(name) + " already exists")
	}
	c.domains = append(c.domains, member{name, json.RawMessage("{}")})
	return c.setTo(name, given)
}

func (c *configFile) removeDomain(name string) error {
	if c.domains.index(name, true) < 0 {
		return errNoDomain(name)
	}
	c.domains.remove(name, true)
	return nil
}

func errNoDomain(name string) error { return errRefused("domain " + quoted(name) + " does not exist") }

// change changes the settings of a domain.
func (c *configFile) change(name string, f func(domain *object) error) error {
	i := c.domains.index(name, true)
	if i < 0 {
		return errNoDomain(name)
	}
	domain, err := parseObject(c.domains[i].value)
	if err != nil {
		return usageError("domain %q: %v", name, err)
	}
	if err := f(&domain); err != nil {
		return err
	}
	c.domains[i].value = domain.text()
	return nil
}

func (c *configFile) setTo(name string, given map[string]string) error {
	return c.change(name, func(domain *object) error {
		for _, v := range domainValues {
			text, ok := given[v.name]
			if !ok {
				continue
			}
			if text == "" {
				domain.remove(v.name, false)
				continue
			}
			value, err := domainValue(text, v.form)
			if err != nil {
				return usageError("--%s: %v", v.name, err)
			}
			domain.set(v.name, value, false)
		}
		return nil
	})
}

func (c *configFile) removeFrom(name string, given map[string]string) error {
	return c.change(name, func(domain *object) error {
		for setting := range given {
			domain.remove(setting, false)
		}
		return nil
	})
}

// domainValue is the JSON of a setting.
func domainValue(text string, form byte) (json.RawMessage, error) {
	if form != 0 {
		if text = strings.TrimSpace(text); text == "" || text[0] != form || !json.Valid([]byte(text)) {
			return nil, errors.New(map[byte]string{'{': "want a JSON object", '[': "want a JSON list"}[form])
		}
		return json.RawMessage(text), nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text || text == "true" || text == "false" {
		return json.RawMessage(text), nil
	}
	return json.Marshal(text)
}
