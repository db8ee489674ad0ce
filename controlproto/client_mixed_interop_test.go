//go:build !js

package controlproto_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	cp "github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/interop"
)

// mixedCall is a request whose reply shows whether it is the right one. n is different for every call.
type mixedCall struct {
	name string
	run  func(ctx context.Context, c *cp.Client, n int) error
}

// want fails unless the reply says what the request asked for.
func want[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: got %v, want %v: the reply is another request's", what, got, want)
	}
	return nil
}

// Ten goroutines, two sessions of one login, 1,000 mixed calls: no reply goes astray.
func TestStockClientMixedCalls(t *testing.T) {
	s := interop.StartServer(t, interop.ServerOptions{})
	sessions := []*cp.Client{dialClient(t, s, admin, cp.ClientConfig{}), dialClient(t, s, admin, cp.ClientConfig{})}
	ctx := t.Context()
	var groups []cp.ID
	for i := range 5 {
		id, err := sessions[0].AddDeviceGroup(ctx, &cp.CreateMesh{Name: fmt.Sprint("group", i), GroupType: cp.GroupAgent})
		require.NoError(t, err)
		groups = append(groups, id)
		_, err = cp.Do(ctx, sessions[0], &cp.SetNotesRequest{ID: id, Notes: "notes of " + string(id)})
		require.NoError(t, err)
	}
	group := func(n int) cp.ID { return groups[n%len(groups)] }
	calls := []mixedCall{
		// Both members come back.
		{"createInviteLink", func(ctx context.Context, c *cp.Client, n int) error {
			hours := time.Duration(n%90_000+1) * time.Hour
			r, err := cp.Do(ctx, c, &cp.CreateInviteLink{GroupID: group(n), Expire: hours})
			if err != nil {
				return err
			}
			return want("hours", r.Expire, hours)
		}},
		{"nodes", func(ctx context.Context, c *cp.Client, n int) error {
			_, err := cp.Do(ctx, c, &cp.Nodes{GroupID: group(n)})
			return err
		}},
		// "responseid" comes back.
		{"editmesh, wrong", func(ctx context.Context, c *cp.Client, _ int) error {
			desc := "x"
			_, err := cp.Do(ctx, c, &cp.EditMesh{GroupID: "mesh//none0000", Desc: &desc})
			if err == nil {
				return fmt.Errorf("a group that does not exist was edited")
			}
			return nil
		}},
		{"editmesh", func(ctx context.Context, c *cp.Client, n int) error {
			desc := fmt.Sprint("call ", n)
			_, err := cp.Do(ctx, c, &cp.EditMesh{GroupID: group(n), Desc: &desc})
			return err
		}},
		{"addmeshuser, nobody", func(ctx context.Context, c *cp.Client, n int) error {
			r, err := cp.Do(ctx, c, &cp.AddMeshUser{GroupID: group(n), UserIDs: []cp.ID{cp.ID(fmt.Sprintf("user//nobody%d", n))}})
			if err != nil {
				return err
			}
			return want("text", r.Result, fmt.Sprintf("Unknown user nobody%d", n))
		}},
		// "tag" comes back.
		{"serverconsole", func(ctx context.Context, c *cp.Client, n int) error {
			r, err := cp.Do(ctx, c, &cp.ServerConsole{Value: fmt.Sprintf("call%d", n)})
			if err != nil {
				return err
			}
			return want("text", r.Value, fmt.Sprintf("Unknown command \"call%d\", type \"help\" for list of available commands.", n))
		}},
		{"events", func(ctx context.Context, c *cp.Client, n int) error {
			limit := n%3 + 1
			r, err := cp.Do(ctx, c, &cp.Events{UserID: "user//admin", Limit: limit})
			if err != nil {
				return err
			}
			return want("events", len(r.Events), limit)
		}},
		{"users", func(ctx context.Context, c *cp.Client, _ int) error {
			list, err := c.Users(ctx)
			if err != nil {
				return err
			}
			return want("users", len(list), 1)
		}},
		// A member of the request comes back.
		{"getNotes", func(ctx context.Context, c *cp.Client, n int) error {
			r, err := cp.Do(ctx, c, &cp.GetNotes{ID: group(n)})
			if err != nil {
				return err
			}
			return want("notes", r.Notes, "notes of "+string(group(n)))
		}},
		{"deviceMeshShares", func(ctx context.Context, c *cp.Client, n int) error {
			r, err := cp.Do(ctx, c, &cp.DeviceMeshShares{GroupID: group(n)})
			if err != nil {
				return err
			}
			return want("group", r.GroupID, group(n))
		}},
		// Nothing comes back.
		{"createLoginToken", func(ctx context.Context, c *cp.Client, n int) error {
			r, err := cp.Do(ctx, c, &cp.CreateLoginToken{Name: fmt.Sprint("token", n), Expire: time.Hour})
			if err != nil {
				return err
			}
			return want("name", r.Name, fmt.Sprint("token", n))
		}},
		{"report", func(ctx context.Context, c *cp.Client, n int) error {
			kind := cp.ReportType(n%3 + 1)
			r, err := cp.Do(ctx, c, &cp.Report{
				Type: kind, GroupBy: cp.ReportByUser, Start: time.Now().Add(-time.Hour), End: time.Now(), Language: "en", TimeZone: "UTC",
			})
			if err != nil {
				return err
			}
			first := ""
			if len(r.Data.Columns) > 0 {
				first = r.Data.Columns[len(r.Data.Columns)-1].ID
			}
			return want("columns of report", first, reportEnds[kind])
		}},
		{"authcookie", func(ctx context.Context, c *cp.Client, _ int) error {
			_, err := cp.Do(ctx, c, &cp.AuthCookie{})
			return err
		}},
		{"loginTokens", func(ctx context.Context, c *cp.Client, _ int) error {
			_, err := c.LoginTokens(ctx)
			return err
		}},
		// Silent: what is confirmed is that the server read it.
		{"changemeshnotify", func(ctx context.Context, c *cp.Client, n int) error {
			_, err := cp.Do(ctx, c, &cp.ChangeMeshNotify{GroupID: group(n), Notify: cp.NotifyWebConnect})
			return err
		}},
		{"userWebState", func(ctx context.Context, c *cp.Client, n int) error {
			_, err := cp.Do(ctx, c, &cp.UserWebState{State: fmt.Sprintf(`{"x":%d}`, n)})
			return err
		}},
		{"ping", func(ctx context.Context, c *cp.Client, _ int) error {
			_, err := c.Ping(ctx)
			return err
		}},
		{"unknown action with a known name", func(ctx context.Context, c *cp.Client, n int) error {
			raw, _ := json.Marshal(groups[n%len(groups)])
			r, err := c.Call(ctx, &cp.Unknown{Name: "getNotes", Extra: map[string]json.RawMessage{"id": raw}})
			if err != nil {
				return err
			}
			return want("id", string(r.Extra["id"]), string(raw))
		}},
		// Given up: the late reply is nobody's.
		{"cancelled", func(ctx context.Context, c *cp.Client, n int) error {
			ctx, cancel := context.WithTimeout(ctx, time.Duration(rand.N(int64(time.Millisecond))))
			defer cancel()
			_, _ = cp.Do(ctx, c, &cp.CreateLoginToken{Name: fmt.Sprint("cancelled", n), Expire: time.Hour})
			return nil
		}},
	}
	const goroutines, each = 10, 100
	var next, done atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, goroutines*each)
	for g := range goroutines {
		wg.Go(func() {
			for range each {
				n := int(next.Add(1))
				call := calls[n%len(calls)]
				if err := call.run(ctx, sessions[g%2], n); err != nil {
					errs <- fmt.Errorf("call %d, %s: %w", n, call.name, err)
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	require.EqualValues(t, goroutines*each, done.Load())
}

// reportEnds is the last column of each kind of report.
var reportEnds = map[cp.ReportType]string{cp.ReportSessions: "length", cp.ReportTraffic: "bytesout", cp.ReportLogins: "msg"}
