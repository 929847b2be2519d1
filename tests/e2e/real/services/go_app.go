// SPDX-License-Identifier: GPL-2.0-or-later

// A Go service on net/http: three calls downstream, one after the other, over kept-alive connections.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	http.HandleFunc("/calls", func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < 3; i++ {
			response, err := client.Get(os.Getenv("DOWNSTREAM"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		io.WriteString(w, "done\n")
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
