package controlproto

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEmbed(t *testing.T) {
	const node = "N$@dN$@dN$@dN$@dN$@dN$@dN$@dN$@dN$@dN$@dN$@dN$@dN$@dN$@dN$@dN$@d"
	for want, e := range map[string]Embed{
		"":             {},
		"?viewmode=1":  {View: ViewDevices},
		"?hide=63":     {Hide: HideAll},
		"?key=a%26b+c": {Key: NewSecret("a&b+c")},
		"?login=AB$@==&node=" + node + "&viewmode=11&hide=9": {
			Login: NewSecret("AB$@=="), Node: "node//" + node, View: ViewDesktop, Hide: HideHeader | HideTitle,
		},
		"?gotonode=" + node + "&viewmode=13":                      {GotoNode: "node/customer1/" + node, View: ViewDeviceFiles},
		"?gotonode=" + strings.Repeat("0f", 48):                   {GotoNode: ID(strings.Repeat("0f", 48))},
		"?gotodevicename=pc-1":                                    {GotoDeviceName: "pc-1"},
		"?gotodevicername=host.example":                           {GotoHostName: "host.example"},
		"?gotodeviceip=10.0.0.1":                                  {GotoAddress: netip.MustParseAddr("::ffff:10.0.0.1")},
		"?gotomesh=" + vectorMesh[6:] + "&viewmode=20":            {GotoGroup: vectorMesh, View: ViewGroup},
		"?gotouser=user//bob&viewmode=30":                         {GotoUser: "user//bob", View: ViewUser},
		"?gotougrp=ugrp//x":                                       {GotoUserGroup: "ugrp//x"},
		"?viewmode=52&locale=pt-br&sitestyle=2&filter=user:admin": {View: ViewRecordings, Locale: "pt-br", SiteStyle: 2, Filter: "user:admin"},
	} {
		want = strings.ReplaceAll(want, "a%26b+c", "a%26b%2Bc")
		for base, front := range map[string]string{
			"https://host:4430":           "https://host:4430/",
			"https://[::1]/customer1/":    "https://[::1]/customer1/",
			"http://127.0.0.1/customer 1": "http://127.0.0.1/customer%201/",
		} {
			u, err := e.URL(base)
			require.NoError(t, err)
			got, args, ok := strings.Cut(u.Reveal(), "?")
			require.Equal(t, front, got)
			require.Equal(t, want != "", ok)
			require.ElementsMatch(t, strings.Split(strings.TrimPrefix(want, "?"), "&"), strings.Split(args, "&"))
			for _, hidden := range []Secret{e.Login, e.Key} {
				if text := hidden.Reveal(); text != "" {
					require.NotContains(t, fmt.Sprintf("%+v %v %q", u, u, u), text)
				}
			}
		}
	}
}

func TestEmbedRefused(t *testing.T) {
	for name, e := range map[string]Embed{
		"two places":            {Node: "a", GotoNode: "b"},
		"three places":          {GotoDeviceName: "a", GotoUser: "b", GotoGroup: "c"},
		"device page, no place": {View: ViewTerminal},
		"page 7":                {View: 7},
		"page -1":               {View: -1},
		"page 1000":             {View: 1000},
		"hide 64":               {Hide: 64},
		"blank":                 {GotoDeviceName: "my pc"},
		"percent":               {GotoDeviceName: "100%"},
		"umlaut":                {GotoDeviceName: "jörg"},
		"another argument":      {GotoDeviceName: "a&login=b"},
		"a bar":                 {Filter: "a|b"},
		"fragment":              {Filter: "a#b"},
		"quote":                 {Locale: "'"},
		"no cookie":             {Login: NewSecret("hunter2&x=y")},
		"user as node":          {Node: "node//a/b"},
		"id without a name":     {Node: "node//"},
		"zone":                  {GotoAddress: netip.MustParseAddr("fe80::1%eth0")},
		"style 4":               {SiteStyle: 4},
		"long":                  {Filter: strings.Repeat("x", 2000)},
	} {
		_, err := e.URL("https://host/")
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "hunter2")
	}
	for _, base := range []string{
		"", "host", "/path", "ftp://host/", "https:///x", "https://u:hunter2@host/", "https://host/?a=b", "https://host/?",
		"https://host/#a", "https://host:x/", "https://host/%zz", "javascript:alert(1)",
	} {
		_, err := (&Embed{}).URL(base)
		require.Error(t, err, base)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestEmbedNames(t *testing.T) {
	seen := map[string]bool{}
	for v := range EmbedView(200) {
		name := v.String()
		require.False(t, seen[name], name)
		seen[name] = true
		got, err := ParseEmbedView(name)
		if strings.HasPrefix(name, "view-") {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, v, got)
		got, err = ParseEmbedView(fmt.Sprint(int(v)))
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
	require.Equal(t, "desktop", EmbedView(11).String())
	_, err := ParseEmbedView("7")
	require.Error(t, err)
	require.Equal(t, "none", EmbedHide(0).String())
	require.Equal(t, "header, tabs, footer, title, toolbar, back buttons", HideAll.String())
	require.Equal(t, "tabs, 0x80", EmbedHide(0x82).String())
}
