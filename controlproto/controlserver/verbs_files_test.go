package controlserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// fileWorld is a server with a folder for files, and bob, who may have files there, in group lab.
func fileWorld(t *testing.T, f func(w *world, folder string, group controlproto.ID)) {
	t.Helper()
	folder := t.TempDir()
	root, err := os.OpenRoot(folder)
	require.NoError(t, err)
	defer root.Close()
	inWorld(t, func(w *world) {
		w.account("bob", controlproto.SiteFileAccess)
		w.account("carol", 0)
		f(w, folder, w.group("lab", map[controlproto.ID]controlproto.Rights{"user//bob": controlproto.ServerFiles}))
	}, func(c *Config) { c.Files = root })
}

// tree reads an answer to files: name to size, or to another tree.
func tree(t *testing.T, answer string, root string) map[string]any {
	t.Helper()
	var r controlproto.FilesReply
	e, err := controlproto.ParseRequest([]byte(answer))
	require.NoError(t, err)
	require.NoError(t, e.Decode(&r))
	require.Contains(t, r.Tree.Files, root)
	var flat func(map[string]controlproto.FileEntry) map[string]any
	flat = func(m map[string]controlproto.FileEntry) map[string]any {
		out := map[string]any{}
		for name, e := range m {
			if e.Type == controlproto.FileFolder {
				out[name] = flat(e.Files)
			} else {
				out[name] = int(e.Size)
			}
		}
		return out
	}
	return flat(r.Tree.Files[root].Files)
}

func TestServerFiles(t *testing.T) {
	fileWorld(t, func(w *world, folder string, group controlproto.ID) {
		bob, also := w.login("bob"), w.login("bob")
		first := bob.ask(`{"action":"files"}`)
		require.Len(t, first, 1)
		require.Equal(t, map[string]any{"Public": map[string]any{}}, tree(t, first[0], "user//bob"))
		require.Empty(t, tree(t, first[0], string(group)))
		require.Contains(t, first[0], `"n":"Root"`)

		data := base64.StdEncoding.EncodeToString([]byte("hello"))
		me := `"path":["user//bob","Public"]`
		do := func(op string) map[string]any {
			t.Helper()
			also.all()
			replies := bob.ask(`{"action":"fileoperation",%s}`, op)
			require.Len(t, replies, 1)
			require.Equal(t, replies, also.all(), "all sessions are told")
			return tree(t, replies[0], "user//bob")
		}
		require.Equal(t, map[string]any{"Public": map[string]any{"a.txt": 5}}, do(`"fileop":"set",`+me+`,"file":"a.txt","data":"`+data+`"`))
		bob.wants(`{"action":"fileoperation","fileop":"get",`+me+`,"file":"a.txt","tag":"t"}`,
			`{"action":"fileoperation","fileop":"get",`+me+`,"file":"a.txt","tag":"t","data":"`+data+`"}`)
		require.Equal(t, map[string]any{"Public": map[string]any{"a.txt": 5, "sub": map[string]any{}}}, do(`"fileop":"createfolder",`+me+`,"newfolder":"sub"`))
		require.Equal(t, map[string]any{"Public": map[string]any{"b.txt": 5, "sub": map[string]any{}}}, do(`"fileop":"rename",`+me+`,"oldname":"a.txt","newname":"b.txt"`))
		sub := `"path":["user//bob","Public","sub"],"scpath":["user//bob","Public"],"names":["b.txt"]`
		require.Equal(t, map[string]any{"Public": map[string]any{"b.txt": 5, "sub": map[string]any{"b.txt": 5}}}, do(`"fileop":"copy",`+sub))
		require.Equal(t, map[string]any{"Public": map[string]any{"sub": map[string]any{"b.txt": 5}}}, do(`"fileop":"move",`+sub))
		do(fmt.Sprintf(`"fileop":"copy","path":[%q],"scpath":["user//bob","Public","sub"],"names":["b.txt"]`, group))
		require.Equal(t, map[string]any{"b.txt": 5}, tree(t, bob.ask(`{"action":"files"}`)[0], string(group)))
		require.Contains(t, do(`"fileop":"delete",` + me + `,"delfiles":["sub"]`)["Public"], "sub", "a folder with files")
		require.Equal(t, map[string]any{"Public": map[string]any{}}, do(`"fileop":"delete",`+me+`,"delfiles":["sub"],"rec":true`))

		// As the stock server stores them.
		require.DirExists(t, filepath.Join(folder, "domain", "user-bob", "Public"))
		require.FileExists(t, filepath.Join(folder, "domain", "mesh-"+group.Name(), "b.txt"))

		// Large files are not for this.
		require.NoError(t, os.WriteFile(filepath.Join(folder, "domain", "user-bob", "large"), make([]byte, maxShortFile), 0o600))
		bob.wants(`{"action":"fileoperation","fileop":"get","path":["user//bob"],"file":"large"}`)

		// Who has no right is met with silence.
		carol := w.login("carol")
		carol.wants(`{"action":"files"}`)
		carol.wants(`{"action":"fileoperation","fileop":"set","path":["user//carol"],"file":"x","data":""}`)
	})
}

// Nothing outside of the folder is read or written, whatever names and links there are.
func TestServerFilesStayInside(t *testing.T) {
	fileWorld(t, func(w *world, folder string, group controlproto.ID) {
		outside := t.TempDir()
		secret := filepath.Join(outside, "secret.txt")
		require.NoError(t, os.WriteFile(secret, []byte("outside-secret"), 0o600))
		home := filepath.Join(folder, "domain", "user-bob")
		require.NoError(t, os.MkdirAll(filepath.Join(folder, "domain", "user-carol"), 0o700))
		require.NoError(t, os.MkdirAll(home, 0o700))
		if os.Symlink(outside, filepath.Join(home, "link")) != nil {
			t.Skip("no links here")
		}
		require.NoError(t, os.Symlink(secret, filepath.Join(home, "file")))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "domain", "user-carol", "hers"), []byte("outside-secret"), 0o600))
		bob := w.login("bob")
		for _, where := range []string{
			`["user//bob","link"]`, `["user//bob",".."]`, `["user//bob","..","user-carol"]`, `["user//carol"]`, `["user//../user-carol"]`, `["user//bob","/etc"]`,
			`["user//bob","link/.."]`, `["user//bob","..\\user-carol"]`, `["node//x"]`, `["mesh//none"]`, `[]`, `[""]`, `["user//bob",""]`, `["user//bob"]`,
		} {
			for _, op := range []string{
				`"fileop":"get","file":"secret.txt"`, `"fileop":"get","file":"hers"`, `"fileop":"get","file":"file"`, `"fileop":"set","file":"secret.txt","data":"eA=="`,
				`"fileop":"set","file":"file","data":"eA=="`, `"fileop":"createfolder","newfolder":"made"`, `"fileop":"rename","oldname":"hers","newname":"x"`,
				`"fileop":"delete","delfiles":["secret.txt","hers","../user-carol",".."],"rec":true`,
				`"fileop":"copy","names":["secret.txt","hers"],"scpath":["user//bob","link"]`, `"fileop":"get","file":"../user-carol/hers"`,
			} {
				for _, answer := range bob.ask(`{"action":"fileoperation",%s,"path":%s}`, op, where) {
					require.NotContains(t, answer, base64.StdEncoding.EncodeToString([]byte("outside-secret")))
				}
			}
		}
		b, err := os.ReadFile(secret)
		require.NoError(t, err)
		require.Equal(t, "outside-secret", string(b))
		list, err := os.ReadDir(outside)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.FileExists(t, filepath.Join(folder, "domain", "user-carol", "hers"))
	})
}

func TestServerFilesQuota(t *testing.T) {
	fileWorld(t, func(w *world, folder string, _ controlproto.ID) {
		w.update(func(tx *Tx) error {
			return tx.EditAccount("user//bob", func(a *Account) error { a.Quota = 8; return nil })
		})
		bob := w.login("bob")
		set := func(name string) map[string]any {
			return tree(t, bob.ask(`{"action":"fileoperation","fileop":"set","path":["user//bob"],"file":%q,"data":"aGVsbG8="}`, name)[0], "user//bob")
		}
		require.Equal(t, map[string]any{"a": 5}, set("a"))
		require.Equal(t, map[string]any{"a": 5}, set("b"), "10 bytes in 8")
		require.Contains(t, bob.ask(`{"action":"files"}`)[0], `"maxbytes":8`)
		replies := bob.ask(`{"action":"fileoperation","fileop":"copy","path":["user//bob","Public"],"scpath":["user//bob"],"names":["a"]}`)
		require.Equal(t, map[string]any{"a": 5, "Public": map[string]any{}}, tree(t, replies[0], "user//bob"))
	})
}

func TestNoServerFiles(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("bob", controlproto.SiteFileAccess)
		bob := w.login("bob")
		bob.wants(`{"action":"files"}`, `{"action":"files","filetree":{"n":"Root","f":{"user//bob":{"t":1,"n":"My Files","f":{}}}}}`)
		bob.wants(`{"action":"fileoperation","fileop":"set","path":["user//bob"],"file":"a","data":""}`)
	})
}

func TestGoodFileName(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "a.txt": true, "ä ö.tar.gz": true, "com": true, "com10": true, "console": true, "a..b": true,
		"": false, ".": false, "..": false, ".a": false, "a/b": false, `a\b`: false, "a:b": false, "a*": false, "a?": false, `a"`: false, "<": false, ">": false,
		"|": false, "con": false, "CON.txt": false, "nul": false, "lpt1": false, "Com9.x": false, "a\x00": false, "a\xff": false, strings.Repeat("a", 256): false,
	} {
		require.Equal(t, good, goodFileName(name), "%q", name)
	}
}

// coreRouter is a Router that can do all.
type coreRouter struct {
	*fakeRouter
	cores []string
	ended []string
}

func (r *coreRouter) SendCore(_ context.Context, id controlproto.ID, kind controlproto.CoreKind, core []byte) error {
	r.cores = append(r.cores, fmt.Sprintf("%s %s %s", id, kind, core))
	return nil
}

func (r *coreRouter) EndDesktop(_ context.Context, id, user controlproto.ID, guest string) (bool, error) {
	r.ended = append(r.ended, fmt.Sprintf("%s %s %s", id, user, guest))
	return guest != "nobody", nil
}

func TestAgentCore(t *testing.T) {
	folder := t.TempDir()
	root, err := os.OpenRoot(folder)
	require.NoError(t, err)
	defer root.Close()
	require.NoError(t, root.MkdirAll("domain/user-admin", 0o700))
	require.NoError(t, root.WriteFile("domain/user-admin/core.js", []byte("the core"), 0o600))
	router := &coreRouter{fakeRouter: &fakeRouter{online: map[controlproto.ID]bool{}}}
	inWorld(t, func(w *world) {
		_, d := w.lab(controlproto.RemoteControl)
		admin, bob := w.login("admin"), w.login("bob")
		for _, typ := range []string{"default", "clear", "recovery", "tiny", "strange"} {
			request := fmt.Sprintf(`{"action":"uploadagentcore","nodeids":[%q],"type":%q,"responseid":"r"}`, d, typ)
			admin.wants(request)
			bob.wants(request)
		}
		custom := func(o *operator, path string) {
			o.wants(fmt.Sprintf(`{"action":"uploadagentcore","nodeids":[%q],"type":"custom","path":%q}`, d, path))
		}
		custom(admin, "user//admin/core.js")
		custom(admin, "user//admin/../core.js")
		custom(admin, "user//bob/core.js")
		custom(admin, "core.js")
		require.Equal(t, []string{string(d) + " default ", string(d) + " clear ", string(d) + " recovery ", string(d) + " tiny ", string(d) + " custom the core"}, router.cores)

		admin.all()
		end := func(o *operator, user, guest string, replies ...string) {
			o.wants(fmt.Sprintf(`{"action":"endDesktopMultiplex","nodeid":%q,"xuserid":%q,"guestname":%q,"responseid":"r"}`, d, user, guest), replies...)
		}
		end(bob, "user//admin", "") // not his
		require.Empty(t, router.ended)
		end(bob, "bob", "")
		admin.all()
		for _, guest := range []string{"guest", "nobody"} {
			admin.send(`{"action":"endDesktopMultiplex","nodeid":%q,"xuserid":"user//bob","guestname":%q,"responseid":"r"}`, d, guest)
		}
		replies, events := split(admin.all())
		require.Empty(t, replies)
		require.Len(t, router.ended, 3)
		require.Len(t, events, 1)
		require.Contains(t, events[0], `"msgArgs":["bob/guest"]`)
		end(bob, "nobody", "", `{"action":"changeusernotify","responseid":"r","result":"User does not exists"}`)
		end(bob, "user/other/bob", "", `{"action":"changeusernotify","responseid":"r","result":"Invalid domain"}`)
	}, func(c *Config) { c.Router, c.Files = router, root })
}

func TestClipboard(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(controlproto.AgentConsole)
		w.connect(d)
		admin, bob := w.login("admin"), w.login("bob")
		for _, request := range []string{`{"action":"getClip","nodeid":%q}`, `{"action":"setClip","nodeid":%q,"data":"text"}`, `{"action":"setClip","nodeid":%q,"data":""}`} {
			bob.wants(fmt.Sprintf(request, d))
			admin.wants(fmt.Sprintf(request, d))
		}
		require.Equal(t, []agentGot{{d, `{"action":"getClip"}`}, {d, `{"action":"setClip","data":"text"}`}}, w.agents.take())
	})
	inWorld(t, func(w *world) {
		_, d := w.lab(0)
		w.connect(d)
		admin := w.login("admin")
		admin.wants(fmt.Sprintf(`{"action":"getClip","nodeid":%q}`, d))
		admin.wants(fmt.Sprintf(`{"action":"setClip","nodeid":%q,"data":"text"}`, d))
		require.Empty(t, w.agents.take())
	}, func(c *Config) { c.Domains = []Domain{{NoClipboardGet: true, NoClipboardSet: true}} })
}

// What this server does not have.
func TestAbsent(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(0)
		admin := w.login("admin")
		for request, result := range map[string]string{
			`{"action":"sendmqttmsg","nodeids":["x"],"topic":"t","msg":"m"}`: "MQTT not supported on this server",
			`{"action":"sendmqttmsg","nodeids":[],"topic":"t","msg":"m"}`:    "Invalid nodeids",
			`{"action":"sendmqttmsg","nodeids":["x"],"topic":"","msg":"m"}`:  "Invalid topic",
			`{"action":"sendmqttmsg","nodeids":["x"],"topic":"t"}`:           "Invalid msg",
			fmt.Sprintf(`{"action":"getmqttlogin","nodeid":%q}`, d):          "MQTT not supported on this server",
			`{"action":"getmqttlogin"}`:                                      "Invalid nodeid",
		} {
			admin.wants(request)
			var m map[string]any
			require.NoError(t, json.Unmarshal([]byte(request), &m))
			m["responseid"] = "r"
			b, err := json.Marshal(m)
			require.NoError(t, err)
			admin.wants(string(b), fmt.Sprintf(`{"action":%q,"responseid":"r","result":%q}`, m["action"], result))
		}
		for _, action := range []string{
			"amt", "pushmessage", "pushconsole", "plugins", "pluginLatestCheck", "addplugin", "installplugin", "disableplugin", "removeplugin",
			"getpluginversions", "plugin", "distributeCore", "oneclickrecovery", "scanamtdevice",
		} {
			admin.wants(fmt.Sprintf(`{"action":%q,"nodeid":%q,"nodeids":[%q],"mode":1,"range":"127.0.0.1","id":"x","responseid":"r"}`, action, d, d))
		}
	})
}

func TestImportAMT(t *testing.T) {
	for name, list := range map[string]string{
		"simple": `[{"fqdn":"pc1.example.com","name":"pc1","username":"root","password":"amt-secret","tls":true,"version":"16","pstate":1,"icon":2,"desc":"d"},` +
			`{"fqdn":"PC1.example.com"},{"fqdn":"localhost"},{"name":"x"}]`,
		"commander": `{"webappversion":"0.9","computers":[{"host":"pc1.example.com","name":"pc1","user":"root","pass":"amt-secret","tls":1,"ver":"16","pstate":1,"icon":2,"desc":"d"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.account("admin", controlproto.SiteFull)
				w.account("bob", 0)
				g := w.groupOf("amt", controlproto.GroupAMT, map[controlproto.ID]controlproto.Rights{"user//admin": controlproto.FullRights, "user//bob": 4})
				admin, bob := w.login("admin"), w.login("bob")
				request := fmt.Sprintf(`{"action":"importamtdevices","meshid":%q,"amtdevices":%s}`, g, list)
				bob.wants(request)
				require.Empty(t, bob.events())
				admin.all()
				admin.send("%s", request)
				replies, events := split(admin.all())
				require.Empty(t, replies)
				require.Len(t, events, 1)
				require.NotContains(t, events[0], "secret")
				ids, err := w.s.DeviceIDs(t.Context(), g)
				require.NoError(t, err)
				require.Len(t, ids, 1)
				d, err := w.s.Device(t.Context(), ids[0])
				require.NoError(t, err)
				require.Equal(t, "amt-secret", d.AMT.Password.Reveal())
				require.Equal(t, []any{"pc1", "pc1.example.com", "root", 1, "16", 1, controlproto.IconLaptop, "d"},
					[]any{d.Name, d.Host, d.AMT.User, *d.AMT.TLS, d.AMT.Version, *d.AMT.State, d.Icon, d.Desc})
			})
		})
	}
	inWorld(t, func(w *world) {
		w.account("admin", controlproto.SiteFull)
		g := w.groupOf("amt", controlproto.GroupAMT, map[controlproto.ID]controlproto.Rights{"user//admin": controlproto.FullRights})
		admin := w.login("admin")
		admin.send(`{"action":"importamtdevices","meshid":%q,"amtdevices":{"ApplicationData":{"Application":"Intel vPro(R) Manageability Migration Tool"},`+
			`"ManagedSystems":{"ManagedSystemsList":[{"IPv4":"192.0.2.7","ConfiguredPassword":"amt-secret","AmtVersion":"12","ConnectionType":"TLS"},{"Uuid":"x"}]}}}`, g)
		require.Len(t, admin.events(), 1)
		ids, err := w.s.DeviceIDs(t.Context(), g)
		require.NoError(t, err)
		d, err := w.s.Device(t.Context(), ids[0])
		require.NoError(t, err)
		require.Equal(t, []any{"192.0.2.7", "admin", 1, 2}, []any{d.Name, d.AMT.User, *d.AMT.TLS, *d.AMT.State})
	})
}
