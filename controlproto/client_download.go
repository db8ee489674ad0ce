package controlproto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
)

// AgentDownload says which agent [Client.DownloadAgent] fetches.
type AgentDownload struct {
	// Architecture is the number of the kind of agent, as in DeviceAgent.ID.
	Architecture int
	// Group is the device group that agents for Windows are made for. For others see [Client.AgentSettings].
	Group ID
	// Install says what the Windows program offers to do.
	Install InviteKind
}

// DownloadAgent writes an agent's program to w and returns the file's name, as the server says it. It does not take
// part in the session: servers give agents to everyone, unless they are set up otherwise.
func (c *Client) DownloadAgent(ctx context.Context, w io.Writer, d AgentDownload) (name string, err error) {
	query := map[string]string{"id": strconv.Itoa(d.Architecture)}
	if d.Group != "" {
		query["meshid"] = d.Group.Name()
	}
	if d.Install != InviteBoth {
		query["installflags"] = strconv.Itoa(int(d.Install))
	}
	return c.download(ctx, w, "/meshagents", query)
}

// AgentSettings writes the settings file (.msh) with which an agent joins a device group to w.
func (c *Client) AgentSettings(ctx context.Context, w io.Writer, group ID) error {
	_, err := c.download(ctx, w, "/meshsettings", map[string]string{"id": group.Name()})
	return err
}

// download fetches a file from beside the channel.
func (c *Client) download(ctx context.Context, w io.Writer, path string, query map[string]string) (name string, err error) {
	u := c.addr.beside(path)
	u.Scheme = map[string]string{"wss": "https", "ws": "http"}[u.Scheme]
	q := u.Query()
	for k, v := range query {
		q.Set(k, v)
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", fmt.Errorf("controlproto: download of %s: %w", path, err)
	}
	transport, closeIdle, err := c.transport()
	if err != nil {
		return "", fmt.Errorf("controlproto: download of %s: %w", path, err)
	}
	defer closeIdle()
	// No redirect is followed: the file is there, or not.
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return "", fmt.Errorf("controlproto: download of %s: %w", path, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusUnauthorized:
		return "", fmt.Errorf("controlproto: download of %s: %w (%s)", path, ErrNotFound, resp.Status)
	default:
		return "", fmt.Errorf("controlproto: download of %s: %.64q", path, resp.Status)
	}
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil {
		name = params["filename"]
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return "", fmt.Errorf("controlproto: download of %s: %w", path, err)
	}
	return name, nil
}

var errNoNetwork = errors.New("the client's connections are made by ClientConfig.Connect, which makes none for files")
