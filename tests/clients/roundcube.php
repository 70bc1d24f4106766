<?php
// Changes one password with Roundcube's poppassd driver, loaded from where Debian's package puts
// it, and prints what the driver told Roundcube, as JSON.
//
//   php roundcube.php ROOT HOST PORT USER OLD NEW
//
// The driver expects Roundcube around it: a configuration, a host name parser, three constants.

[, $root, $host, $port, $user, $old, $new] = $argv;

const PASSWORD_SUCCESS = 0;
const PASSWORD_ERROR = 2;
const PASSWORD_CONNECT_ERROR = 3;

final class rcmail
{
    public rcmail $config;

    public static function get_instance(): self
    {
        $instance = new self();
        $instance->config = $instance;
        return $instance;
    }

    public function get(string $name, mixed $default): mixed
    {
        global $host, $port;
        return ['password_pop_host' => $host, 'password_pop_port' => (int) $port][$name] ?? $default;
    }
}

final class rcube_utils
{
    public static function parse_host(string $host): string
    {
        return $host;
    }
}

set_include_path("$root/usr/share/php");
require 'Net/Socket.php';
require "$root/usr/share/roundcube/plugins/password/drivers/poppassd.php";

echo json_encode((new rcube_poppassd_password())->save($old, $new, $user)), "\n";
