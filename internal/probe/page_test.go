package probe

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func words(found []Reference) string {
	var lines []string
	for _, r := range found {
		lines = append(lines, fmt.Sprintf("%d %s %s %s", r.Line, r.Kind, r.Element, r.Written))
	}
	return strings.Join(lines, "\n")
}

func TestReadPage(t *testing.T) {
	for _, c := range []struct{ name, html, want string }{
		{"links and forms", "<a href='/a'>a</a>\n<form action=\"/f\"><button formaction=/g></form><area href=h>",
			"1 link <a href> /a\n2 form <form action> /f\n2 form <button formaction> /g\n2 link <area href> h"},
		{"what is loaded", "<script src=/s.js></script><link rel='icon stylesheet' href=/s.css><link rel=icon href=/i.png><link rel=canonical href=/c>" +
			"<link rel=modulepreload href=/m.js><img src=/i.png><iframe src=/f></iframe><object data=/o></object><video src=/v poster=/p></video>",
			"1 script <script src> /s.js\n1 style <link href> /s.css\n1 resource <link href> /i.png\n1 link <link href> /c\n1 script <link href> /m.js\n" +
				"1 image <img src> /i.png\n1 frame <iframe src> /f\n1 frame <object data> /o\n1 resource <video src> /v\n1 image <video poster> /p"},
		{"lists of images", "<img srcset='/a.png 1x, /b,c.png 2x,/d.png, e.png 100w'><link rel=preload imagesrcset='/l.png 1x'>",
			"1 image <img srcset> /a.png\n1 image <img srcset> /b,c.png\n1 image <img srcset> /d.png\n1 image <img srcset> e.png\n1 image <link imagesrcset> /l.png"},
		{"styles", "\n<style>\n@import '/a.css'; b { background: url( /b.png ) }</style><p style=\"background: url('/c.png')\">",
			"3 style CSS @import /a.css\n3 resource CSS url() /b.png\n3 resource CSS url() /c.png"},
		{"base and refresh", "<base href=/b/><base href=/c/><meta http-equiv=Refresh content='5; URL=\"/r\"'>", "1 base <base href> /b/\n1 refresh <meta refresh> /r"},
		{"scripts", "<script>fetch('/api')\nnew WebSocket(\"ws://a/b\"); x.open('GET', '/x'); location.href = '/l'; fetch(`/t/${id}`)</script>",
			"2 socket WebSocket ws://a/b\n1 call fetch /api\n2 call fetch /t/\n2 call XMLHttpRequest /x\n2 link location /l"},
		{"modules", "<script type=module>import a from '/a.js'; import('./b.js'); import c from 'react'</script>\n<script type=importmap>{\"imports\": {\"x\":\n\"/x.js\"}}</script><script type='text/template'>fetch('/no')</script>",
			"1 script import /a.js\n3 script import map /x.js"},
		{"a host that a script adds", "<script>s = new WebSocket('ws://' + location.host + '/ws')</script>", "1 socket WebSocket ws://\n1 call location.host /ws"},
		{"no URL", "<a>x</a><a href>y</a><a href=' '>z</a><!-- <a href=/c> --><textarea><a href=/t></textarea>", ""},
		{"the first of an attribute twice", "<a href=/one href=/two>", "1 link <a href> /one"},
	} {
		if got := words(ReadPage([]byte(c.html)).References); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
	if p := ReadPage([]byte("<title> My \n page </title><base href=x>")); p.Title != "My page" || p.Base != "x" {
		t.Errorf("got %+v", p)
	}
}

func TestReadStyle(t *testing.T) {
	for _, c := range []struct{ css, want string }{
		{"@import url(/a.css); @IMPORT \"/b.css\" print;", "1 style CSS @import /a.css\n1 style CSS @import /b.css"},
		{"a { content: 'url(/no)'; background: URL(\"/b)c.png\") } /* url(/no) */\n@font-face { src: url(f.woff) }", "1 resource CSS url() /b)c.png\n2 resource CSS url() f.woff"},
		{"a { filter: url(#own); b: curl(/no) }", ""},
		{"a { background: url(/open", ""},
		{"a { background: url('/open", ""},
		{"/* open url(/x)", ""},
	} {
		if got := words(ReadStyle([]byte(c.css))); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.css, got, c.want)
		}
	}
}

// Whatever an application answers is read to the end; what is found stands in it, on a
// line that it has.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"<a href=/a>", "<style>@import 'x'; a{b:url(/c)}</style>", "<script type=importmap>{\"imports\":{\"a\":\"/b\"}}</script>",
		"<img srcset='a 1x, b'>", "<script>fetch('/x')", "@import", "url(", "<meta http-equiv=refresh content=';url='>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := 1 + strings.Count(string(data), "\n")
		check := func(found []Reference) {
			for _, r := range found {
				if r.Line < 1 || r.Line > lines || r.Written == "" || r.Element == "" {
					t.Errorf("%+v of %d lines", r, lines)
				}
			}
		}
		check(ReadPage(data).References)
		page := &url.URL{Scheme: "https", Host: "c.example.com", Path: "/app/"}
		for _, r := range ReadPage(data).References {
			(&Scope{Page: page, Prefix: "/app/"}).Judge(r, page, page)
		}
		check(ReadStyle(data))
		check(ReadScript(data))
	})
}
