# SPDX-License-Identifier: GPL-2.0-or-later
# A Rack service: three HTTP calls downstream, one after the other, on a kept connection per thread.
require "net/http"

DOWNSTREAM = URI(ENV["DOWNSTREAM"])

run lambda { |_|
  connection = (Thread.current[:connection] ||= Net::HTTP.start(DOWNSTREAM.host, DOWNSTREAM.port))
  3.times { connection.request(Net::HTTP::Get.new("/")) }
  [200, {"content-type" => "text/plain"}, ["done\n"]]
}
