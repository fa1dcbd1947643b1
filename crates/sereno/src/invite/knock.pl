# perl knock.pl NAME.toml: knocks at a door whose ports change with the time.
use strict; use warnings; use IO::Socket::IP; use Digest::SHA 'hmac_sha256'; use MIME::Base64;
my %o; while (<>) { $o{$1} = $2 if /^(\w+) = "?([^"]*)"?$/ }
my ($first, $last) = $o{range} =~ /(\d+), (\d+)/;
my ($secret, $udp, @ports) = (decode_base64($o{secret}), $o{protocol} eq 'udp');
for (my $block = 0; @ports < $o{length}; $block++) {
    my $text = 'sereno knock 1' . pack('Q>N', int(time / $o{step}), $block);
    for my $n (unpack 'n*', hmac_sha256($text, $secret)) {
        my $port = $first + int($n * ($last - $first + 1) / 65536);
        push @ports, $port unless @ports == $o{length} || grep { $_ == $port } @ports;
    }
}
for my $port (@ports) {
    my $s = IO::Socket::IP->new(PeerHost => $o{host}, PeerPort => $port,
        Type => $udp ? SOCK_DGRAM : SOCK_STREAM, Blocking => 0);
    send $s, "\0", 0 if $s && $udp;
    select undef, undef, undef, ($o{delay} || 50) / 1000;
}
