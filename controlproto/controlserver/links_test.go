package controlserver

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// maker makes requests that can be carried out, out of a source of choices.
type maker struct {
	w    *world
	next func(n int) int // from 0 to n-1
}

func (m *maker) pick(list ...string) string {
	if len(list) == 0 {
		return "none"
	}
	return list[m.next(len(list))]
}

var fuzzNames = []string{"admin", "bob", "eve", "dan"}

func (m *maker) account() string { return "user//" + m.pick(fuzzNames...) }

func (m *maker) group() string {
	var list []string
	for _, g := range m.w.s.groupsOf("") {
		list = append(list, string(g.ID))
	}
	return m.pick(list...)
}

func (m *maker) userGroup() string {
	var list []string
	for _, g := range m.w.s.userGroupsOf("") {
		list = append(list, string(g.ID))
	}
	return m.pick(list...)
}

func (m *maker) device() string {
	var list []string
	_ = m.w.store.View(m.w.t.Context(), func(tx StoreTx) error {
		records, err := tx.List(KindDevice, Query{})
		for _, r := range records {
			list = append(list, r.ID)
		}
		return err
	})
	return m.pick(list...)
}

func (m *maker) who() string {
	if m.next(3) == 0 {
		return m.userGroup()
	}
	return m.account()
}

func (m *maker) rights() string {
	return m.pick("0", "2", "8", "7", "64", "4294967295", "-1", "524296")
}

func (m *maker) remove() string { return m.pick("", `,"remove":true`) }

// request makes one; it has no responseid yet.
func (m *maker) request() string {
	makers := []func() string{
		func() string {
			return fmt.Sprintf(`"action":"addmeshuser","meshid":%q,"userid":%q,"meshadmin":%s%s`, m.group(), m.who(), m.rights(), m.remove())
		},
		func() string {
			return fmt.Sprintf(`"action":"adddeviceuser","nodeid":%q,"userid":%q,"rights":%s%s`, m.device(), m.who(), m.rights(), m.remove())
		},
		func() string {
			return fmt.Sprintf(`"action":"addusertousergroup","ugrpid":%q,"usernames":[%q,%q]`, m.userGroup(), m.pick(fuzzNames...), m.pick(fuzzNames...))
		},
		func() string {
			return fmt.Sprintf(`"action":"removeuserfromusergroup","ugrpid":%q,"userid":%q`, m.userGroup(), m.account())
		},
		func() string {
			return fmt.Sprintf(`"action":"removemeshuser","meshid":%q,"userid":%q`, m.group(), m.who())
		},
		func() string { return fmt.Sprintf(`"action":"deletemesh","meshid":%q`, m.group()) },
		func() string { return fmt.Sprintf(`"action":"deleteusergroup","ugrpid":%q`, m.userGroup()) },
		func() string { return fmt.Sprintf(`"action":"deleteuser","userid":%q`, m.account()) },
		func() string {
			return fmt.Sprintf(`"action":"edituser","id":%q,"siteadmin":%s`, m.account(), m.pick("0", "2", "258", "32", "4294967295"))
		},
		func() string { return fmt.Sprintf(`"action":"removedevices","nodeids":[%q]`, m.device()) },
		func() string {
			return fmt.Sprintf(`"action":"changeDeviceMesh","nodeids":[%q],"meshid":%q`, m.device(), m.group())
		},
		func() string { return fmt.Sprintf(`"action":"createmesh","meshname":"g","meshtype":%d`, 2+m.next(2)) },
		func() string {
			return fmt.Sprintf(`"action":"addlocaldevice","meshid":%q,"devicename":"d","hostname":"h","type":4`, m.group())
		},
		func() string {
			return fmt.Sprintf(`"action":"createusergroup","name":"u","clone":%q`, m.pick("", m.userGroup()))
		},
		func() string {
			return fmt.Sprintf(`"action":"changemeshnotify","meshid":%q,"notify":%d`, m.group(), m.next(7))
		},
		func() string {
			return fmt.Sprintf(`"action":"changeusernotify","nodeid":%q,"notify":%d`, m.device(), m.next(7))
		},
		func() string {
			return fmt.Sprintf(`"action":"changedevice","nodeid":%q,"name":"n%d"`, m.device(), m.next(5))
		},
		func() string {
			return fmt.Sprintf(`"action":"editmesh","meshid":%q,"meshname":"m%d","invite":{"codes":["c%d"],"flags":0}`, m.group(), m.next(5), m.next(3))
		},
		func() string {
			return fmt.Sprintf(`"action":"editusergroup","ugrpid":%q,"name":"u%d","consent":%d`, m.userGroup(), m.next(5), m.next(3))
		},
		func() string {
			return `"action":"` + m.pick("nodes", "meshes", "users", "usergroups", "wssessioncount", "loginTokens", "authcookie", "lastconnects") + `"`
		},
		func() string {
			return fmt.Sprintf(`"action":"msg","nodeid":%q,"type":%q,"value":"x?p=%d"`, m.device(), m.pick("ps", "tunnel", "console", ""), m.next(6))
		},
		func() string {
			return fmt.Sprintf(`"action":"runcommands","nodeids":[%q],"type":%d,"cmds":"x"`, m.device(), m.next(5))
		},
		func() string { return fmt.Sprintf(`"action":"toast","nodeids":[%q],"msg":"x"`, m.device()) },
		func() string {
			return fmt.Sprintf(`"action":"createInviteLink","meshid":%q,"expire":1,"flags":0`, m.group())
		},
		func() string {
			return `"action":"createLoginToken","name":"t","expire":` + m.pick("0", "5", "-1", `"x"`)
		},
		func() string { return fmt.Sprintf(`"action":"notifyuser","userid":%q,"msg":"x"`, m.account()) },
		func() string { return fmt.Sprintf(`"action":"events","nodeid":%q,"limit":3`, m.device()) },
		func() string { return fmt.Sprintf(`"action":"getsysinfo","nodeid":%q`, m.device()) },
		func() string {
			return fmt.Sprintf(`"action":"setNotes","id":%q,"notes":"x"`, m.pick(m.device(), m.group(), m.account()))
		},
		func() string {
			return fmt.Sprintf(`"action":"poweraction","nodeids":[%q],"actiontype":%d`, m.device(), m.next(5))
		},
	}
	return makers[m.next(len(makers))]()
}

// populate makes a small world with links of every kind.
func (w *world) populate() {
	admin, bob, eve := w.account("admin", controlproto.SiteFull), w.account("bob", controlproto.SiteManageUsers|controlproto.SiteUserGroups), w.account("eve", 0)
	w.account("dan", 0)
	ug := w.userGroup("ops", bob, eve)
	a := w.group("a", map[controlproto.ID]controlproto.Rights{admin: controlproto.FullRights, bob: 7, ug: 8})
	b := w.group("b", map[controlproto.ID]controlproto.Rights{bob: controlproto.FullRights, eve: controlproto.FullRights})
	one := w.device("one", a)
	w.device("two", a)
	w.device("three", b)
	w.connect(one)
	w.update(func(tx *Tx) error {
		if err := tx.Link(eve, "eve", one, 8); err != nil {
			return err
		}
		return tx.Link(ug, "ops", one, 64)
	})
}

// Whatever operators do, both sides of all links agree, and nobody is linked to what there is not.
func TestLinksAgree(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			inWorld(t, func(w *world) {
				w.populate()
				m := &maker{w, r.IntN}
				sessions := map[string]*operator{}
				for i := range 150 {
					name := m.pick(fuzzNames...)
					if w.s.account(controlproto.ID("user//"+name)) == nil || w.s.account(controlproto.ID("user//"+name)).SiteRights != 0 && name != "bob" {
						rights := map[string]controlproto.SiteRights{"admin": controlproto.SiteFull, "bob": 258}[name]
						w.restore(name, rights)
					}
					o := sessions[name]
					if o == nil || o.ended() {
						o = w.login(name)
						sessions[name] = o
					}
					o.send(`{%s,"responseid":"%d"}`, m.request(), i)
					o.all()
					w.checkLinks()
				}
			})
		})
	}
}

// restore makes an account that was removed or has lost its rights what it was.
func (w *world) restore(name string, rights controlproto.SiteRights) {
	if w.s.account(controlproto.UserID("", name)) == nil {
		w.account(name, rights)
		return
	}
	w.update(func(tx *Tx) error {
		return tx.EditAccount(controlproto.UserID("", name), func(a *Account) error { a.SiteRights = rights; return nil })
	})
}

func (o *operator) ended() bool {
	o.all()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// FuzzSession has two sessions ask for what the input chooses. What one of them asks is never answered to the other, no handler
// panics, and links stay whole.
func FuzzSession(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x02\x03\x04\x05\x06\x07"))
	f.Add([]byte("\x00\x01\x01\x01\x02\x00\x03\x00\x05\x00\x07\x01\x08\x02"))
	f.Add([]byte(strings.Repeat("\x01\x05\x00\x09\x13\x02\x17", 8)))
	r := rand.New(rand.NewPCG(7, 7))
	for range 3 {
		b := make([]byte, 96)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) > 256 {
			return
		}
		inWorld(t, func(w *world) {
			w.populate()
			m := &maker{w, func(n int) int {
				if len(input) == 0 {
					return 0
				}
				b := input[0]
				input = input[1:]
				return int(b) % n
			}}
			ops := [2]*operator{w.login("bob"), w.login("eve")}
			for i := 0; len(input) > 0; i++ {
				mine := m.next(2)
				if ops[mine].ended() {
					return
				}
				ops[mine].send(`{%s,"responseid":"asked%d","tag":"asked%d"}`, m.request(), i, i)
				for n, o := range ops {
					for _, message := range o.all() {
						require.NotContains(t, message, `"cause":"internal"`)
						if n != mine {
							require.NotContains(t, message, `"asked`, "the answer to another one's request")
						}
					}
				}
				w.checkLinks()
			}
		})
	})
}
