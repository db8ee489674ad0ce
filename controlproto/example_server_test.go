//go:build !js

package controlproto_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
)

// accounts is the smallest implementation of controlproto.Accounts.
type accounts map[controlproto.ID]controlproto.Secret

func (a accounts) User(_ context.Context, id controlproto.ID) (*controlproto.User, error) {
	if _, ok := a[id]; !ok {
		return nil, controlproto.ErrNoUser
	}
	return &controlproto.User{ID: id, Name: id.Name(), SiteRights: controlproto.SiteFull}, nil
}

func (a accounts) CheckPassword(_ context.Context, id controlproto.ID, password controlproto.Secret) (bool, error) {
	return a[id].Equal(password) && a[id].Reveal() != "", nil // a real one compares hashes
}

// A server that knows one action, and a client that asks for it.
func ExampleNewServer() {
	mux := controlproto.NewMux()
	controlproto.On(mux, func(ctx context.Context, c *controlproto.Call, req *controlproto.Nodes) error {
		return c.Reply(ctx, &controlproto.NodesReply{Devices: map[controlproto.ID][]controlproto.Device{
			"mesh//lab": {{ID: "node//pc1", Name: "pc1"}},
		}})
	})
	server, err := controlproto.NewServer(controlproto.ServerConfig{
		Mux:      mux,
		Accounts: accounts{"user//admin": controlproto.NewSecret("correct horse")},
		Opened: func(ctx context.Context, s *controlproto.Session) error {
			return errors.Join(s.Send(ctx, &controlproto.ServerInfo{}), s.Send(ctx, &controlproto.UserInfo{User: *s.User()}))
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	routes := http.NewServeMux()
	routes.Handle("/control.ashx", server)
	web := httptest.NewServer(routes)
	defer web.Close()
	defer server.Shutdown(context.Background())

	ctx := context.Background()
	client, err := controlproto.Dial(ctx, "ws"+strings.TrimPrefix(web.URL, "http"),
		controlproto.PasswordLogin{User: "admin", Password: controlproto.NewSecret("correct horse")}, controlproto.ClientConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	nodes, err := controlproto.Do(ctx, client, new(controlproto.Nodes))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(nodes.Devices["mesh//lab"][0].Name)
	// Output: pc1
}
